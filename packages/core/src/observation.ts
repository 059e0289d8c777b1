/** @ts-ignore: an optional peer; without it these types are `any`. */
import type { Attributes, BatchObservableCallback, Meter, MetricOptions, Observable } from '@opentelemetry/api';

/** An instrument whose value is read when the SDK collects. */
export interface ObservedInstrument extends MetricOptions {
  readonly kind: 'counter' | 'gauge' | 'upDownCounter';
}

/** Reports one value of one of the observed instruments. */
export type Observe<Name extends string> = (name: Name, value: number, attributes?: Attributes) => void;

/** A set of observed instruments and how to read them: bound to at most one meter at a time. */
export class Observation<Owner extends object, Name extends string> {
  readonly #owner: WeakRef<Owner>;
  readonly #instruments: Readonly<Record<Name, ObservedInstrument>>;
  readonly #read: (owner: Owner, observe: Observe<Name>) => void;
  #unbind: (() => void) | undefined;

  constructor(
    owner: Owner,
    instruments: Readonly<Record<Name, ObservedInstrument>>,
    read: (owner: Owner, observe: Observe<Name>) => void,
  ) {
    this.#owner = new WeakRef(owner);
    this.#instruments = instruments;
    this.#read = read;
  }

  /** Leaves the meter of before, and reports to `meter` from now on. An SDK that throws leaves a gap in the metrics, nothing else. */
  bind(meter: Meter | undefined): void {
    const unbind = this.#unbind;
    this.#unbind = undefined;
    try {
      unbind?.();
    } catch {}
    try {
      this.#unbind = meter && this.#bindTo(meter);
    } catch {}
  }

  #bindTo(meter: Meter): () => void {
    const observables = new Map<Name, Observable>();
    for (const name of Object.keys(this.#instruments) as Name[]) {
      observables.set(name, createObservable(meter, name, this.#instruments[name]));
    }
    const all = [...observables.values()];
    const collect: BatchObservableCallback = (result) => {
      const owner = this.#owner.deref();
      // The meter unbinds it soon. Not here: an SDK walks over its callbacks now, and would skip the next one.
      if (owner === undefined) return;
      try {
        this.#read(owner, (name, value, attributes) => {
          result.observe(observables.get(name) as Observable, value, attributes);
        });
      } catch {
        // A component that cannot report leaves a gap in its metrics, nothing else.
      }
    };
    meter.addBatchObservableCallback(collect, all);
    return () => meter.removeBatchObservableCallback(collect, all);
  }
}

function createObservable(meter: Meter, name: string, { kind, ...options }: ObservedInstrument): Observable {
  switch (kind) {
    case 'counter':
      return meter.createObservableCounter(name, options);
    case 'gauge':
      return meter.createObservableGauge(name, options);
    case 'upDownCounter':
      return meter.createObservableUpDownCounter(name, options);
    default:
      return kind satisfies never;
  }
}
