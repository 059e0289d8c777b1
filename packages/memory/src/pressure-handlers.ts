import { TimeoutError, isPromiseLike, startTimer } from '@perf/core';
import type { ErrorReporter } from './error-reporter.ts';
import { type PressureLevel, rankOf } from './pressure-level.ts';
import type { MemorySample } from './memory-sample.ts';

/** What a pressure handler is told. */
export interface PressureEvent {
  /** The level that was entered, or that still holds. */
  readonly level: Exclude<PressureLevel, 'normal'>;
  /** The level before; the same as `level` when the pressure lasts. */
  readonly previous: PressureLevel;
  readonly sample: MemorySample;
  /** Aborts when the handler's time is up, or the monitor closes. */
  readonly signal: AbortSignal;
}

/** Frees memory. */
export type PressureHandler = (event: PressureEvent) => void | Promise<void>;

interface Entry {
  readonly handler: PressureHandler;
  readonly priority: number;
}

/** What a round needs to know; the signal is made per handler. */
export type Alarm = Omit<PressureEvent, 'signal'>;

/**
 * Runs the handlers, one after the other by priority, one round at a time. An alarm during a round starts another when it is more
 * urgent, and is dropped when it is not.
 */
export class PressureHandlers {
  readonly #entries = new Set<Entry>();
  readonly #errors: ErrorReporter;
  readonly #timeout: number;
  #running: Alarm | undefined;
  #next: Alarm | undefined;
  #round: Promise<void> = Promise.resolve();
  #rounds = 0;
  #interrupt: ((reason: unknown) => void) | undefined;
  #stopped: { readonly reason: unknown } | undefined;

  /** @param timeout milliseconds each handler may take */
  constructor(timeout: number, errors: ErrorReporter) {
    this.#timeout = timeout;
    this.#errors = errors;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Rounds begun so far. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Handlers of equal priority run in the order they were added; the higher priority goes first. */
  add(handler: PressureHandler, priority: number): () => void {
    const entry: Entry = { handler, priority };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  raise(alarm: Alarm): void {
    if (this.#stopped !== undefined) return;
    if (this.#running === undefined) {
      this.#round = this.#run(alarm);
      return;
    }
    const pending = this.#next ?? this.#running;
    if (rankOf(alarm.level) > rankOf(pending.level)) this.#next = alarm;
  }

  /** Stops waiting for the handler that runs, and starts no other. Resolves when that is so. */
  stop(reason: unknown): Promise<void> {
    this.#stopped ??= { reason };
    this.#entries.clear();
    this.#next = undefined;
    this.#interrupt?.(reason);
    return this.#round;
  }

  /** Never rejects. */
  async #run(first: Alarm): Promise<void> {
    for (let alarm: Alarm | undefined = first; alarm !== undefined; alarm = this.#next) {
      this.#running = alarm;
      this.#next = undefined;
      this.#rounds++;
      // Those added during the round wait for the next one; those removed before their turn are left out.
      const entries = [...this.#entries].sort((a, b) => b.priority - a.priority);
      for (const entry of entries) if (this.#entries.has(entry)) await this.#call(entry.handler, alarm);
    }
    this.#running = undefined;
  }

  async #call(handler: PressureHandler, alarm: Alarm): Promise<void> {
    const controller = new AbortController();
    try {
      const answer: unknown = handler({ ...alarm, signal: controller.signal });
      if (isPromiseLike(answer)) await this.#settled(answer, controller);
    } catch (error) {
      if (this.#stopped === undefined) this.#errors.report('onPressure', error);
    }
  }

  /** Waits for the answer, the timeout or the stop, whichever is first; what comes later is swallowed. */
  async #settled(answer: PromiseLike<unknown>, controller: AbortController): Promise<void> {
    const interruption = Promise.withResolvers<never>();
    const interrupt = (reason: unknown): void => {
      // Rejected before the handler hears of it: what it throws on abort must not win over the reason.
      interruption.reject(reason);
      controller.abort(reason);
    };
    const timeout = this.#timeout;
    const onTimeout = (): void => {
      const message = `a pressure handler did not finish within ${timeout} ms`;
      interrupt(new TimeoutError(message, { timeout, code: 'PERF_MEMORY_HANDLER_TIMEOUT' }));
    };
    // Unref'd, unlike a deadline: a handler that hangs must not keep the process alive.
    const timer = startTimer(onTimeout, timeout, { unref: true });
    this.#interrupt = interrupt;
    if (this.#stopped !== undefined) interrupt(this.#stopped.reason);
    try {
      await Promise.race([answer, interruption.promise]);
    } finally {
      timer.cancel();
      this.#interrupt = undefined;
    }
  }
}
