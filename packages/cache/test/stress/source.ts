import type { HistoryChecker } from './history-checker.ts';
import type { Random } from './random.ts';

/** What the caches hold: which state of the source it was, and when it was read. */
export interface Row {
  readonly key: number;
  readonly version: number;
  /** Milliseconds of the process's monotonic clock. */
  readonly at: number;
}

/** How a load goes. */
export type LoadKind = 'at once' | 'slow' | 'fails' | 'fails late' | 'throws' | 'hangs';

/** What a loader that is meant to fail rejects with. */
export class InjectedFailure extends Error {
  readonly key: number;
  readonly at: number = performance.now();

  constructor(key: number) {
    super(`the source failed for key ${key}`);
    this.key = key;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The source of truth behind the caches: slow and unreliable, as asked. */
export class Source {
  readonly #checker: HistoryChecker;
  readonly #random: Random;
  loads = 0;

  constructor(checker: HistoryChecker, random: Random) {
    this.#checker = checker;
    this.#random = random;
  }

  load(key: number, kind: LoadKind = 'at once'): Row | Promise<Row> {
    this.loads++;
    if (kind === 'at once') return this.read(key);
    if (kind === 'throws') throw new InjectedFailure(key);
    return this.#loadSlowly(key, kind);
  }

  read(key: number): Row {
    return { key, version: this.#checker.versionOf(key), at: performance.now() };
  }

  async #loadSlowly(key: number, kind: LoadKind): Promise<Row> {
    if (kind === 'hangs') return new Promise(() => {});
    if (kind === 'fails') throw new InjectedFailure(key);
    // Read first: what comes back later is outdated if the source is written meanwhile.
    await pause(this.#random.below(3));
    const row = this.read(key);
    await pause(this.#random.below(8));
    if (kind === 'fails late') throw new InjectedFailure(key);
    return row;
  }
}
