import type { CallMode, Definition } from './frame.ts';

/** What the latest run weighs in the mean: about the last five count. */
const WEIGHT = 0.2;

/** An export that a pool calls, and what is known of it. */
export class Call {
  readonly definition: Definition;
  /** Mean milliseconds it runs, as the workers measured it; `undefined` before the first time. */
  meanRunTime: number | undefined;

  constructor(definition: Definition) {
    this.definition = definition;
  }

  get name(): string {
    return this.definition[2];
  }

  get mode(): CallMode {
    return this.definition[3];
  }

  learn(runTime: number): void {
    const mean = this.meanRunTime;
    this.meanRunTime = mean === undefined ? runTime : mean + (runTime - mean) * WEIGHT;
  }
}

/** The exports that a pool calls, by number. */
export class CallTable {
  readonly #url: string;
  readonly #calls = new Map<string, Call>();

  constructor(url: string) {
    this.#url = url;
  }

  get(name: string, mode: CallMode = 'one'): Call {
    const key = mode === 'one' ? name : `${name}\n${mode}`;
    let call = this.#calls.get(key);
    if (call === undefined) {
      call = new Call([this.#calls.size, this.#url, name, mode]);
      this.#calls.set(key, call);
    }
    return call;
  }
}
