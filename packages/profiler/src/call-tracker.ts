import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';
import type { Clock } from '@perf/core';
import { cpuNow } from './cpu-clock.ts';
import type { FunctionRecord } from './function-record.ts';
import { RunningCall } from './running-call.ts';
import { trackGenerator } from './track-generator.ts';

/** What {@link CallTracker} is made of. */
export interface CallTrackerOptions {
  readonly clock: Clock;
  readonly sampleRate: number;
  readonly cpu: boolean;
}

/** Begins and ends calls, and knows which call runs inside which. */
export class CallTracker {
  readonly #clock: Clock;
  readonly #sampleRate: number;
  readonly #cpu: boolean;
  readonly #context: AsyncLocalStorage<RunningCall> = new AsyncLocalStorage<RunningCall>();

  constructor(options: CallTrackerOptions) {
    this.#clock = options.clock;
    this.#sampleRate = options.sampleRate;
    this.#cpu = options.cpu;
  }

  /** Begins a call of the function, counted and, if sampled, timed. */
  enter(record: FunctionRecord): RunningCall {
    record.calls++;
    return this.#begin(record, undefined);
  }

  /**
   * Begins a part of a call that was counted before: one step of a generator.
   * @param timed whether to time it where no call around it has that decided
   */
  resume(record: FunctionRecord, timed?: boolean): RunningCall {
    return this.#begin(record, timed);
  }

  #begin(record: FunctionRecord, wanted: boolean | undefined): RunningCall {
    const from = RunningCall.open(this.#context.getStore());
    // A tree of calls is timed whole or not at all: timing only some of the calls inside would put the time of the others
    // into the self time of their callers.
    const timed = from?.timed ?? wanted ?? (this.#sampleRate === 1 || Math.random() < this.#sampleRate);
    const call = new RunningCall(record, from, { now: timed ? this.#clock.now() : 0, timed });
    if (this.#cpu && timed) call.cpu = cpuNow();
    return call;
  }

  /** Runs `work` with `call` as the one that calls made in it, now or later, belong to. */
  run<A extends unknown[], R>(call: RunningCall, work: (...args: A) => R, ...args: A): R {
    return this.#context.run(call, work, ...args);
  }

  /** The call's synchronous part is over: what the thread does from here on is not its CPU time. */
  suspend(call: RunningCall): void {
    if (!this.#cpu || !call.timed || call.cpuKnown) return;
    call.cpu = Math.max(0, cpuNow() - call.cpu);
    call.cpuKnown = true;
  }

  /** Ends a call, or a part of one, and adds its time. @returns whether it is the outermost of its function and was timed */
  leave(call: RunningCall): boolean {
    this.suspend(call);
    if (!call.close(call.timed ? this.#clock.now() : 0) || !call.timed) return false;
    call.record.spend(call);
    return call.counted;
  }

  /** Ends a call for good. */
  exit(call: RunningCall, failed: boolean): void {
    if (failed) call.record.errors++;
    if (this.leave(call)) call.record.finish(call.total);
  }

  /**
   * Ends a call that returned `result`: now, when the promise settles, or step by step for a generator.
   * @returns what the caller is to get instead of `result`
   */
  settle<R>(call: RunningCall, result: R): R {
    if (typeof result === 'object' && result !== null) {
      // Only real promises: a thenable may be lazy, and calling its `then` would start the work it stands for.
      if (types.isPromise(result)) return this.observe(result, (failed) => this.exit(call, failed), call) as R;
      if (types.isGeneratorObject(result)) {
        this.leave(call);
        trackGenerator(this, call, result as Generator | AsyncGenerator);
        return result;
      }
    }
    this.exit(call, false);
    return result;
  }

  /**
   * Tells when `promise` settles. The caller gets the promise that follows from it: a rejection nobody handles is reported exactly once that way,
   * and one that somebody handles, never. Properties that a library put on its promise (`cancel`, `json`) move along.
   */
  observe<T>(promise: Promise<T>, settled: (failed: boolean, value?: T) => void, call: RunningCall): Promise<T> {
    this.suspend(call);
    let derived: Promise<T>;
    try {
      derived = promise.then(
        (value) => {
          settled(false, value);
          return value;
        },
        (error: unknown) => {
          settled(true);
          throw error;
        },
      );
    } catch {
      // A subclass whose `then` or constructor refuses: the caller's promise matters more than its duration.
      settled(false);
      return promise;
    }
    // Names only: the symbols on a promise are Node's own bookkeeping of asynchronous contexts.
    for (const key of Object.getOwnPropertyNames(promise)) {
      Reflect.defineProperty(derived, key, Object.getOwnPropertyDescriptor(promise, key) as PropertyDescriptor);
    }
    return derived;
  }
}
