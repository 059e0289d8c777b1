import type { CallMode, Definition } from './frame.ts';

/** What the latest run weighs in the mean: about the last five count. */
const WEIGHT = 0.2;

/** An export that a pool calls, and what is known of it. */
export class Call {
  readonly definition: Definition;
  /** Mean milliseconds it runs, as the workers measured it; `undefined` before the first time. */
  meanRunTime: number | undefined;

  /** Mean milliseconds this thread needs to copy its input. */
  #meanCopyTime: number | undefined;

  constructor(definition: Definition) {
    this.definition = definition;
  }

  get name(): string {
    return this.definition[2];
  }

  get mode(): CallMode {
    return this.definition[3];
  }

  /** It ran once. */
  learn(runTime: number): void {
    this.meanRunTime = mean(this.meanRunTime, runTime);
  }

  /** One of it was copied for its worker. */
  learnCopy(copyTime: number): void {
    this.#meanCopyTime = mean(this.#meanCopyTime, copyTime);
  }

  /** Milliseconds it adds to a frame; `undefined` when nobody knows. A large input takes time although the function may be fast. */
  get estimate(): number | undefined {
    return this.meanRunTime === undefined ? undefined : this.meanRunTime + (this.#meanCopyTime ?? 0);
  }
}

function mean(before: number | undefined, value: number): number {
  return before === undefined ? value : before + (value - before) * WEIGHT;
}

/** The exports that a pool calls, by number. */
export class CallTable {
  readonly #url: string;
  readonly #calls: Readonly<Record<CallMode, Map<string, Call>>> = {
    one: new Map(),
    each: new Map(),
    ranges: new Map(),
  };
  #size = 0;

  constructor(url: string) {
    this.#url = url;
  }

  get(name: string, mode: CallMode = 'one'): Call {
    const calls = this.#calls[mode];
    let call = calls.get(name);
    if (call === undefined) {
      call = new Call([this.#size++, this.#url, name, mode]);
      calls.set(name, call);
    }
    return call;
  }
}
