import { checkDuration, checkFunction, checkLimit, checkOptions } from '@perf/core';
import { CallCost } from './call-cost.ts';
import { FairShare } from './fair-share.ts';
import { saysOverloaded, saysTooLarge } from './failure-signs.ts';
import { LatencySizer } from './latency-sizer.ts';
import type { SizedBatch, Sizer } from './sizer.ts';
import { ThroughputSizer } from './throughput-sizer.ts';

/** How a {@link Batcher} finds the size of its batches. */
export interface AdaptiveOptions {
  /** What a batch should take at most, in milliseconds; its size is held where it does. @default the size with the best throughput is sought */
  readonly targetLatency?: number | undefined;
  /**
   * Whether an error, of a batch or of an operation in it, says that the store has too much to do; with a `targetLatency` the size is cut then. A throw counts as no.
   * @default statuses 429 and 503, and what AWS calls it
   */
  readonly isOverloaded?: ((error: unknown) => boolean) | undefined;
}

/** No batch found by search is larger. */
const LARGEST = 10_000;
/** Where sizes are fixed and none is given. */
const USUAL = 100;
/** Groups whose size is remembered; the least recently sent one is forgotten first. */
const REMEMBERED = 1000;

/** The sizes of the batches of all groups. */
export interface Sizing {
  /** Whether sizes change: batches are to be measured. */
  readonly adaptive: boolean;
  /** The largest size of any group now. */
  readonly largest: number;
  /** The most a batch of a group may hold now. */
  sizeOf(group: string): number;
  /** The most the next batch of a group may hold, of which `waiting` operations could be part while `pending` are, over all groups, unsettled. */
  limitFor(group: string, waiting: number, pending: number): number;
  record(group: string, batch: SizedBatch): void;
  /** What the errors of a batch say about its size. */
  judge(errors: Iterable<unknown>, failed: boolean): SizedBatch['outcome'];
}

interface SizingOptions {
  readonly maxSize?: number | undefined;
  readonly adaptive?: AdaptiveOptions | boolean | undefined;
}

/** A new object of {@link Sizing} for the options of a batcher. Throws a `RangeError` or `TypeError` that names the option. */
export function sizingFor(given: SizingOptions, concurrency: number): Sizing {
  const { maxSize, adaptive } = given;
  if (maxSize !== undefined) checkLimit('maxSize', maxSize);
  const options = typeof adaptive === 'boolean' || adaptive === undefined ? {} : adaptive;
  checkOptions('`adaptive`', options, ['targetLatency', 'isOverloaded']);
  const { targetLatency, isOverloaded = saysOverloaded } = options;
  if (targetLatency !== undefined) checkDuration('adaptive.targetLatency', targetLatency);
  checkFunction('adaptive.isOverloaded', isOverloaded);
  if (adaptive === false || (adaptive === undefined && maxSize !== undefined)) return new FixedSizing(maxSize ?? USUAL);
  const cap = Math.min(maxSize ?? LARGEST, LARGEST);
  return targetLatency === undefined
    ? new AdaptiveSizing({ make: () => new ThroughputSizer(cap), isOverloaded, slots: concurrency })
    : new AdaptiveSizing({ make: () => new LatencySizer(targetLatency, cap), isOverloaded, slots: Infinity });
}

class FixedSizing implements Sizing {
  readonly adaptive = false;
  readonly largest: number;

  constructor(size: number) {
    this.largest = size;
  }

  sizeOf(): number {
    return this.largest;
  }

  limitFor(): number {
    return this.largest;
  }

  record(): void {}

  judge(): 'answered' {
    return 'answered';
  }
}

interface AdaptiveParts {
  readonly make: () => Sizer;
  readonly isOverloaded: (error: unknown) => boolean;
  /** Among how many what is pending is shared out. */
  readonly slots: number;
}

class AdaptiveSizing implements Sizing {
  readonly adaptive = true;
  readonly #parts: AdaptiveParts;
  /** The least recently sent group first. */
  readonly #sizers = new Map<string, Sized>();
  /** The group that was sent last. */
  #latest: string | undefined = undefined;
  readonly #startSize: number;
  readonly #share: FairShare;

  constructor(parts: AdaptiveParts) {
    this.#parts = parts;
    this.#startSize = parts.make().size;
    this.#share = new FairShare(parts.slots);
  }

  get largest(): number {
    let largest = 0;
    for (const { sizer } of this.#sizers.values()) largest = Math.max(largest, sizer.size);
    return largest === 0 ? this.#startSize : largest;
  }

  sizeOf(group: string): number {
    return this.#sizers.get(group)?.sizer.size ?? this.#startSize;
  }

  limitFor(group: string, waiting: number, pending: number): number {
    const { sizer, cost } = this.#sizedOf(group);
    return this.#share.limit(sizer.limitFor(waiting), { waiting, pending }, cost.worthIt);
  }

  record(group: string, batch: SizedBatch): void {
    const sized = this.#sizers.get(group);
    sized?.sizer.record(batch);
    if (batch.outcome === 'answered' && batch.latency > 0) sized?.cost.record(batch.size, batch.latency);
  }

  judge(errors: Iterable<unknown>, failed: boolean): SizedBatch['outcome'] {
    for (const error of errors) {
      if (failed && sure(saysTooLarge, error)) return 'tooLarge';
      if (sure(this.#parts.isOverloaded, error)) return 'overloaded';
    }
    return failed ? 'failed' : 'answered';
  }

  #sizedOf(group: string): Sized {
    let sized = this.#sizers.get(group);
    if (sized !== undefined && group === this.#latest) return sized;
    this.#latest = group;
    if (sized === undefined) sized = { sizer: this.#parts.make(), cost: new CallCost() };
    else this.#sizers.delete(group);
    this.#sizers.set(group, sized);
    if (this.#sizers.size > REMEMBERED) this.#sizers.delete(this.#sizers.keys().next().value as string);
    return sized;
  }
}

/** An error that cannot be judged says nothing. */
function sure(judge: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return judge(error);
  } catch {
    return false;
  }
}

/** What is known of the batches of a group. */
interface Sized {
  readonly sizer: Sizer;
  readonly cost: CallCost;
}
