import { ClosedError, type Closeable, LazyMeter, LazyTracer, checkFunction, checkName, checkOptions } from '@perf/core';
import { CallTracker } from './call-tracker.ts';
import { FunctionRegistry, RecordSlot } from './function-registry.ts';
import type { FunctionReport } from './function-report.ts';
import { type ProfileDecorator, profileDecorator } from './profile-decorator.ts';
import { observeProfiler } from './profiler-metrics.ts';
import { type ProfilerOptions, type ProfilerSettings, profilerSettings } from './profiler-options.ts';
import { type ReportTextOptions, reportText } from './report-text.ts';
import type { Span } from './span.ts';
import { type Applicable, type Callable, wrapFunction } from './wrap-function.ts';

const PACKAGE = '@perf/profiler';

/** Options of {@link Profiler.wrap}. */
export interface WrapOptions {
  /** @default the function's own name, or `(anonymous)` */
  readonly name?: string;
  /** Makes an OpenTelemetry span of each call (not of `new`) as well, when an SDK is there. @default false */
  readonly trace?: boolean;
}

/**
 * Measures functions by wrapping them: calls, errors, durations with quantiles, and self time that is right under concurrency and recursion.
 * Memory is constant per function. A profiler never changes what a function does, and never throws into it.
 */
export class Profiler implements Closeable {
  readonly #settings: ProfilerSettings;
  readonly #registry: FunctionRegistry;
  readonly #tracker: CallTracker;
  readonly #meter: LazyMeter = new LazyMeter(PACKAGE);
  readonly #tracer: LazyTracer = new LazyTracer(PACKAGE);
  readonly #originals = new WeakMap<object, Applicable>();
  readonly #stopMetrics: () => void;
  #closed = false;

  /** @throws TypeError or RangeError for an option that is unknown or out of range */
  constructor(options: ProfilerOptions = {}) {
    this.#settings = profilerSettings(options);
    this.#registry = new FunctionRegistry(this.#settings.maxFunctions);
    this.#tracker = new CallTracker(this.#settings);
    this.#stopMetrics = observeProfiler(this.#meter, this);
  }

  /** The option; `undefined` when none was given. */
  get name(): string | undefined {
    return this.#settings.name;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * A function, or class, that behaves as `fn` and is measured under `name`; functions of one name share their numbers.
   * A promise counts until it settles, a generator for the time its steps take, any other thenable for the call alone.
   *
   * A function this profiler has wrapped already comes back as it is, unless it is given another name.
   *
   * @throws ClosedError (`PERF_PROFILER_CLOSED`) after `close()`; wrapped functions just work on, unmeasured
   */
  wrap<F extends Callable>(fn: F, options: WrapOptions = {}): F {
    checkFunction('fn', fn);
    checkOptions('wrap', options, ['name', 'trace']);
    if (options.name === undefined && this.#originals.has(fn)) return fn;
    const name = options.name ?? nameOf(fn);
    checkName('name', name);
    const apply = options.trace === true ? this.#tracedApply(name) : Reflect.apply;
    return this.#wrap(fn as unknown as Applicable, () => name, apply) as unknown as F;
  }

  /** The function that `wrapped` was made from; `wrapped` itself if this profiler did not make it. */
  unwrap<F extends Callable>(wrapped: F): F {
    return (this.#originals.get(wrapped) as F | undefined) ?? wrapped;
  }

  /**
   * A decorator that measures a method, getter, setter, `accessor` or function-valued field under `name`. TC39 decorators only.
   * @param name default `Class.member`, with the class that declares it (a `#private` member: its name alone)
   * @throws ClosedError (`PERF_PROFILER_CLOSED`) after `close()`
   */
  profile(name?: string): ProfileDecorator {
    if (name !== undefined) checkName('name', name);
    this.#checkOpen();
    return profileDecorator(name, (fn, nameFor) => this.#wrap(fn, nameFor, Reflect.apply));
  }

  /** Calls `fn` and measures the call under `name`. After `close()` it only calls it. @returns what `fn` returns */
  measure<R>(name: string, fn: () => R): R {
    checkName('name', name);
    checkFunction('fn', fn);
    if (!this.#recording()) return fn();
    const call = this.#tracker.enter(this.#registry.get(name));
    let result: R;
    try {
      result = this.#tracker.run(call, fn);
    } catch (error) {
      this.#tracker.exit(call, true);
      throw error;
    }
    return this.#tracker.settle(call, result);
  }

  /** Begins a {@link Span} named `name`: `using span = profiler.span('parse')`. After `close()` it measures nothing. */
  span(name: string): Span {
    checkName('name', name);
    const call = this.#recording() ? this.#tracker.enter(this.#registry.get(name)) : undefined;
    let ended = call === undefined;
    const end = (failed = false): void => {
      if (ended || call === undefined) return;
      ended = true;
      this.#tracker.exit(call, failed);
    };
    return { end, [Symbol.dispose]: () => end() };
  }

  /** What is known of the function `name`; `undefined` if it was never called (or not since the last `reset()`). */
  report(name: string): FunctionReport | undefined {
    return this.#registry.find(name)?.report(this.#settings);
  }

  /** Every function called, most total time first. O(functions). */
  summary(): FunctionReport[] {
    const reports = this.#registry.all().map((record) => record.report(this.#settings));
    return reports.sort((a, b) => b.total - a.total);
  }

  /** The summary as a table for people. */
  toText(options?: ReportTextOptions): string {
    return reportText(this.summary(), this.#settings.sampleRate, options);
  }

  /** Forgets all numbers and names. Calls running now belong to the time before and are not counted. */
  reset(): void {
    this.#registry.reset();
  }

  /** Stops measuring; what was measured can still be read, and wrapped functions work on. Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#stopMetrics();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #wrap(fn: Applicable, nameFor: (self: unknown) => string, apply: Apply): Applicable {
    this.#checkOpen();
    const slot = new RecordSlot(this.#registry, nameFor);
    const wrapper = wrapFunction(fn, { tracker: this.#tracker, slot, enabled: () => this.#recording(), apply });
    this.#originals.set(wrapper, fn);
    return wrapper;
  }

  #tracedApply(name: string): Apply {
    const options = { attributes: { 'code.function.name': name } };
    return (fn, self, args) => this.#tracer.span(name, options, () => Reflect.apply(fn, self, args) as unknown);
  }

  /** Asked at each call, which is also when an SDK registered late is noticed. */
  #recording(): boolean {
    if (this.#closed) return false;
    this.#meter.current();
    return true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('Profiler', 'PERF_PROFILER_CLOSED');
  }
}

/** A class may have a static member called `name`. */
function nameOf(fn: { readonly name: unknown }): string {
  return typeof fn.name === 'string' && fn.name !== '' ? fn.name : '(anonymous)';
}

type Apply = (fn: Applicable, self: unknown, args: ArrayLike<unknown>) => unknown;
