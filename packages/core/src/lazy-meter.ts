/** @ts-ignore: an optional peer; without it these types are `any`. */
import type { Attributes, Counter, Histogram, Meter, MeterProvider, MetricOptions } from '@opentelemetry/api';
import { Observation, type Observe, type ObservedInstrument } from './observation.ts';
import { otelGlobal, reserveOtelGlobal } from './otel-global.ts';

/**
 * An OpenTelemetry meter that is there as soon as an SDK is, registered before or after this object was made.
 * Without an SDK an instrument's call is a property read and a comparison.
 *
 * An SDK registered later is noticed by the next call of any instrument, of `current()` or of `observe()`.
 */
export class LazyMeter {
  /** Ends the observation of an owner that was forgotten without being closed. */
  static readonly #forgotten = new FinalizationRegistry<() => void>((stop) => stop());
  readonly #name: string;
  readonly #version: string | undefined;
  readonly #observations = new Set<{ bind(meter: Meter | undefined): void }>();
  #provider: MeterProvider | undefined;
  #meter: Meter | undefined;

  /** @param name the instrumentation scope, by convention the package's name */
  constructor(name: string, version?: string) {
    this.#name = name;
    this.#version = version;
    reserveOtelGlobal();
  }

  /** The SDK's meter, or `undefined` while no SDK is registered. */
  current(): Meter | undefined {
    const provider = otelGlobal()?.metrics;
    if (provider !== this.#provider) this.#rebind(provider);
    return this.#meter;
  }

  #rebind(provider: MeterProvider | undefined): void {
    this.#provider = provider;
    this.#meter = undefined;
    try {
      this.#meter = provider?.getMeter(this.#name, this.#version);
    } catch {
      // An SDK that throws is none.
    }
    for (const observation of this.#observations) observation.bind(this.#meter);
  }

  /** A monotonic sum, recorded as it happens. */
  counter(name: string, options?: MetricOptions): LazyCounter {
    return new LazyCounter(this, name, options);
  }

  /** A distribution, recorded as it happens. Durations are in seconds: give bucket advice that fits them. */
  histogram(name: string, options?: MetricOptions): LazyHistogram {
    return new LazyHistogram(this, name, options);
  }

  /**
   * Has `read` called whenever the SDK collects, to report values the component keeps anyway: nothing on its hot path.
   *
   * The owner is held weakly, so that an SDK never keeps a forgotten component alive; `read` must reach it through its argument,
   * not through `this`. What `read` throws is dropped: a scrape must not break the process.
   *
   * @returns a function that stops the observation; idempotent
   */
  observe<Owner extends object, Name extends string>(
    owner: Owner,
    instruments: Readonly<Record<Name, ObservedInstrument>>,
    read: (owner: Owner, observe: Observe<Name>) => void,
  ): () => void {
    const observation = new Observation(owner, instruments, read);
    observation.bind(this.current());
    this.#observations.add(observation);
    const stop = (): void => {
      LazyMeter.#forgotten.unregister(observation);
      this.#observations.delete(observation);
      observation.bind(undefined);
    };
    LazyMeter.#forgotten.register(owner, stop, observation);
    return stop;
  }
}

/** What a {@link LazyMeter} makes: the SDK's instrument while there is one. */
class LazyInstrument<I> {
  readonly #owner: LazyMeter;
  readonly #create: (meter: Meter) => I;
  #boundTo: Meter | undefined;
  #instrument: I | undefined;

  constructor(owner: LazyMeter, create: (meter: Meter) => I) {
    this.#owner = owner;
    this.#create = create;
  }

  /** Whether an SDK listens: check before computing a costly value. */
  get enabled(): boolean {
    return this.#owner.current() !== undefined;
  }

  protected resolve(): I | undefined {
    const meter = this.#owner.current();
    if (meter !== this.#boundTo) {
      this.#boundTo = meter;
      this.#instrument = undefined;
      this.#instrument = meter && this.#create(meter);
    }
    return this.#instrument;
  }
}

/** See {@link LazyMeter.counter}. */
export class LazyCounter extends LazyInstrument<Counter> {
  constructor(owner: LazyMeter, name: string, options?: MetricOptions) {
    super(owner, (meter) => meter.createCounter(name, options));
  }

  /** Adds `value`, which is not negative. */
  add(value: number, attributes?: Attributes): void {
    try {
      this.resolve()?.add(value, attributes);
    } catch {
      // An SDK that throws leaves a gap.
    }
  }
}

/** See {@link LazyMeter.histogram}. */
export class LazyHistogram extends LazyInstrument<Histogram> {
  constructor(owner: LazyMeter, name: string, options?: MetricOptions) {
    super(owner, (meter) => meter.createHistogram(name, options));
  }

  /** Records `value`; durations in seconds. */
  record(value: number, attributes?: Attributes): void {
    try {
      this.resolve()?.record(value, attributes);
    } catch {
      // An SDK that throws leaves a gap.
    }
  }
}
