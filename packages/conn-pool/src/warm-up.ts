import { TimeoutError, deadline, startTimer } from '@perf/core';
import { closedError } from './errors.ts';
import type { Bounds, Settings, WarmUpOptions } from './options.ts';

type WarmUpSettings = Pick<Settings<unknown>, 'name' | 'acquireTimeout'>;

/** What {@link WarmUps} look at when they fail. */
export interface WarmUpSource {
  readonly bounds: Bounds;
  readonly failure: ErrorOptions | undefined;
}

/** Those who wait for `min` connections. */
export class WarmUps {
  readonly #settings: WarmUpSettings;
  readonly #source: WarmUpSource;
  readonly #waiting = new Set<PromiseWithResolvers<void>>();

  constructor(settings: WarmUpSettings, source: WarmUpSource) {
    this.#settings = settings;
    this.#source = source;
  }

  async wait({ timeout = this.#settings.acquireTimeout, signal }: WarmUpOptions): Promise<void> {
    const warm = Promise.withResolvers<void>();
    this.#waiting.add(warm);
    const onTimeout = (limit: number): Error => this.#timedOut(limit);
    // Who waits for ever has no timer that keeps the process alive, and the pool's own do not.
    const hold = startTimer(() => {}, Number.MAX_VALUE);
    try {
      await deadline(() => warm.promise, { timeout, signal, onTimeout });
    } finally {
      this.#waiting.delete(warm);
      hold.cancel();
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
    const { name } = this.#settings;
    const { bounds, failure } = this.#source;
    return new TimeoutError(`"${name}" did not have ${bounds.min} connections within ${timeout} ms`, {
      timeout,
      code: 'PERF_CONN_POOL_WARM_UP_TIMEOUT',
      ...failure,
    });
  }
}
