import { checkOptions, checkRange } from '@perf/core';

/** How many operations may be sent again. */
export interface RetryBudgetOptions {
  /** Operations that may be sent again for each one sent for the first time. `Infinity` for no limit. @default 0.1 */
  readonly ratio?: number | undefined;
  /** How many more may be at once, after a time without failures. @default 10_000, as many as the largest batch holds */
  readonly burst?: number | undefined;
}

const MOST = Number.MAX_SAFE_INTEGER;

/**
 * A bucket of tokens: an operation sent for the first time puts `ratio` in, one sent again takes one out. While a store is down, all
 * of its clients together then send it at most `1 + ratio` times what they would anyway, instead of `attempts` times.
 *
 * (The "retry budget" of Finagle, and of the Google SRE book, chapter 21, "Handling Overload".)
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #burst: number;
  #tokens: number;

  /** Throws a `RangeError` or `TypeError` that names the option. */
  constructor(options: RetryBudgetOptions | number = {}) {
    const given = typeof options === 'number' ? { ratio: options } : options;
    checkOptions('`retry.budget`', given, ['ratio', 'burst']);
    const { ratio = 0.1, burst = 10_000 } = given;
    this.#ratio = ratio === Infinity ? ratio : checkRange('retry.budget.ratio', ratio, { min: 0, max: MOST });
    this.#burst = checkRange('retry.budget.burst', burst, { min: 0, max: MOST });
    this.#tokens = ratio === Infinity ? Infinity : this.#burst;
  }

  /** How many operations may be sent again now. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Operations are sent for the first time. */
  deposit(operations: number): void {
    if (this.#tokens !== Infinity) this.#tokens = Math.min(this.#burst, this.#tokens + operations * this.#ratio);
  }

  /** Asks for that many tokens: all of them, or none. */
  take(tokens: number): boolean {
    // Sums of a ratio such as 0.1 come out a little below the whole number they stand for.
    if (this.#tokens < tokens - 1e-9) return false;
    this.#tokens = Math.max(0, this.#tokens - tokens);
    return true;
  }
}
