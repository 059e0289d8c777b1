import { types } from 'node:util';
import type { CallTracker } from './call-tracker.ts';
import type { FunctionRecord } from './function-record.ts';
import type { RunningCall } from './running-call.ts';

type Step = (...args: unknown[]) => unknown;
const METHODS = ['next', 'return', 'throw'] as const;

/**
 * Times a generator that `call`, now closed, has made: the sum of its steps is the duration of the call, recorded when it is done. The time it lies suspended belongs to its consumer.
 *
 * The generator stays the very object the function returned; its methods are covered by own ones. So `for of`, `for await`, `yield*`, iterator helpers and
 * `instanceof` see no difference, and nothing holds on to a generator that its consumer forgets.
 */
export function trackGenerator(tracker: CallTracker, call: RunningCall, generator: Generator | AsyncGenerator): void {
  const run = new GeneratorRun(tracker, call, generator);
  for (const method of METHODS) {
    const original = generator[method] as Step;
    const value = (...args: unknown[]): unknown => run.step(original, args);
    Object.defineProperty(generator, method, { value, writable: true, configurable: true, enumerable: false });
  }
}

class GeneratorRun {
  readonly #tracker: CallTracker;
  readonly #record: FunctionRecord;
  readonly #timed: boolean;
  readonly #generator: Generator | AsyncGenerator;
  #active = 0;
  /** Whether a step was the outermost call of the function. */
  #counted = false;
  /** Whether every step was timed: only then is their sum a duration. */
  #complete: boolean;
  #done = false;
  #inStep = false;

  constructor(tracker: CallTracker, call: RunningCall, generator: Generator | AsyncGenerator) {
    this.#tracker = tracker;
    this.#record = call.record;
    this.#complete = this.#timed = call.timed;
    // Making it is part of the call: default parameters are worked out then.
    if (call.timed && call.counted) {
      this.#active = call.total;
      this.#counted = true;
    }
    this.#generator = generator;
  }

  step(original: Step, args: unknown[]): unknown {
    // A generator that is asked for its next value by its own body refuses, and is not over because of that.
    if (this.#done || this.#inStep) return Reflect.apply(original, this.#generator, args);
    const tracker = this.#tracker;
    const call = tracker.resume(this.#record, this.#timed);
    this.#complete &&= call.timed;
    const end = (failed: boolean, done: boolean): void => {
      if (tracker.leave(call)) {
        this.#active += call.total;
        this.#counted = true;
      }
      if (failed || done) this.#finish(failed);
    };
    let result: unknown;
    this.#inStep = true;
    try {
      result = tracker.run(call, Reflect.apply, original, this.#generator, args);
    } catch (error) {
      end(true, true);
      throw error;
    } finally {
      this.#inStep = false;
    }
    if (!types.isPromise(result)) {
      end(false, (result as IteratorResult<unknown>).done === true);
      return result;
    }
    const step = result as Promise<IteratorResult<unknown>>;
    return tracker.observe(step, (failed, value) => end(failed, value?.done === true), call);
  }

  #finish(failed: boolean): void {
    if (this.#done) return;
    this.#done = true;
    if (failed) this.#record.errors++;
    if (this.#counted && this.#complete) this.#record.finish(this.#active);
  }
}
