import { TimeoutError, deadline } from '@perf/core';
import { closedError } from './errors.ts';
import type { Settings, WarmUpOptions } from './options.ts';

type WarmUpSettings = Pick<Settings<unknown>, 'name' | 'min' | 'acquireTimeout'>;

/** Those who wait for `min` connections. */
export class WarmUps {
  readonly #settings: WarmUpSettings;
  readonly #lastError: () => unknown;
  readonly #waiting = new Set<PromiseWithResolvers<void>>();

  constructor(settings: WarmUpSettings, lastError: () => unknown) {
    this.#settings = settings;
    this.#lastError = lastError;
  }

  async wait({ timeout = this.#settings.acquireTimeout, signal }: WarmUpOptions): Promise<void> {
    const warm = Promise.withResolvers<void>();
    this.#waiting.add(warm);
    const onTimeout = (limit: number): Error => this.#timedOut(limit);
    try {
      await deadline(() => warm.promise, { timeout, signal, onTimeout });
    } finally {
      this.#waiting.delete(warm);
    }
  }

  /** There are `min` connections. */
  done(): void {
    for (const warm of this.#waiting) warm.resolve();
  }

  fail(): void {
    for (const warm of this.#waiting) warm.reject(closedError(this.#settings.name));
  }

  #timedOut(timeout: number): TimeoutError {
    const { name, min } = this.#settings;
    const cause = this.#lastError();
    return new TimeoutError(`"${name}" did not have ${min} connections within ${timeout} ms`, {
      timeout,
      code: 'PERF_CONN_POOL_WARM_UP_TIMEOUT',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
