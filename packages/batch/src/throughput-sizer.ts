import { PairedGain } from './paired-gain.ts';
import type { SizedBatch, Sizer } from './sizer.ts';

/** Where the search begins: large enough that what comes at once is not sent crumb by crumb, small enough for any store. */
export const START_SIZE = 100;

/** It is worth doubling the size while that brings this much throughput... */
const GROW = 0.03;
/** ...and half of it will do when the doubling brought less than this. */
const SHRINK = 0.01;
/** What is gained where four times the size would still pay. */
const LARGE = 0.09;
/** What no noise that is usual looks like. */
const CLEAR = 0.06;

/** One full batch of this many is sent at half size, to compare. */
const TRY_EVERY = 6;

/** How many batches must wait for that. */
const BACKLOG = 8;

/** So many full batches without anything to compare them to, and a larger size is tried outright. */
const UNCOMPARED = 64;

/** How many full batches must have come back before a size that did not pay is tried again; doubled each time it does not. */
const FIRST_PAUSE = 64;
const LONGEST_PAUSE = 4096;

/**
 * Finds the smallest size with nearly the best throughput, by asking of its present size what it gains over half of it.
 *
 * If a call costs a fixed time and one per operation, that gain is the share of the fixed time: sizes grow until it is below 3 %, where
 * throughput is at least 97 % of what any size gives. If a call costs more than that (it swaps, it locks, it sorts), the gain turns negative
 * where a smaller size is better, without any model of the store. Half and full batches alternate and are compared in pairs, so that a store
 * that gets slower or faster as a whole moves nothing; noise is answered with more pairs before deciding. Batches that are not full
 * say nothing: a load that does not fill them needs no larger ones.
 */
export class ThroughputSizer implements Sizer {
  readonly #cap: number;
  #size: number;
  /** At first sizes double at once, one after the other, for as long as it pays: a burst must not wait for the search. */
  #start: StartingPoint | undefined;
  #gain = new PairedGain();
  /** Milliseconds per operation before the size last grew: what is much slower than that need not be compared in pairs. */
  #before = Infinity;
  #taken = 0;
  /** Full batches since one was compared: too little waits, or a half is no smaller. */
  #uncompared = 0;
  /** Full batches to come back before the size may grow. */
  #pause = 0;
  #nextPause = FIRST_PAUSE;

  constructor(cap: number) {
    this.#cap = cap;
    this.#size = Math.min(START_SIZE, cap);
    this.#start = { before: undefined, now: new Measured(this.#size), atLeast: -GROW };
  }

  get size(): number {
    return this.#size;
  }

  limitFor(waiting: number): number {
    // Half a batch is tried only where many whole ones wait: what would go as one is not cut in two, and the end of a burst stays even.
    if (this.#start !== undefined || this.#size === 1 || waiting < BACKLOG * this.#size) return this.#size;
    return ++this.#taken % TRY_EVERY === 0 ? this.#half : this.#size;
  }

  get #half(): number {
    return Math.max(1, Math.floor(this.#size / 2));
  }

  record(batch: SizedBatch): void {
    if (batch.outcome === 'tooLarge') this.#retreat(batch.limit);
    if (batch.outcome !== 'answered' || batch.size < batch.limit || !(batch.latency > 0)) return;
    if (batch.limit === this.#size && this.#pause > 0) this.#pause--;
    if (this.#start !== undefined) this.#recordStart(batch, this.#start);
    else this.#compare(batch);
  }

  #recordStart({ limit, size, latency }: SizedBatch, start: StartingPoint): void {
    const { before, now, atLeast } = start;
    // Those under way when the size grew tell more of the size before.
    if (before !== undefined && limit === before.size) before.add(size, latency);
    if (limit !== this.#size) return;
    now.add(size, latency);
    if (before !== undefined && now.count < 2) return;
    const gain = before === undefined ? Infinity : (now.rate / before.rate - 1) / (now.size / before.size - 1);
    // What is no clear gain takes a few batches more, or noise would lead on.
    if (Math.abs(gain) < CLEAR && now.count < 5) return;
    if (gain > GROW && this.#size < this.#cap) {
      this.#size = Math.min(this.#cap, this.#size * (before !== undefined && gain > LARGE ? 4 : 2));
      this.#start = { before: now, now: new Measured(this.#size), atLeast };
      return;
    }
    this.#start = undefined;
    if (gain < atLeast) this.#shrink();
  }

  #compare({ limit, size, latency }: SizedBatch): void {
    if (limit === this.#size) {
      this.#gain.full(size, latency);
      if (this.#gain.slowerThan(this.#before)) {
        this.#shrink();
        return;
      }
      if (this.#pause === 0 && ++this.#uncompared >= UNCOMPARED && this.#size < this.#cap) this.#searchOn();
    } else if (limit === this.#half) {
      this.#uncompared = 0;
      this.#gain.half(size, latency);
    } else return;
    const verdict = this.#gain.against(SHRINK, GROW);
    if (verdict === 'below') this.#shrink();
    else if (verdict !== undefined) this.#keepOrGrow(verdict === 'above');
  }

  /** As at the start, but what is tried must pay: nothing would take it back later. */
  #searchOn(): void {
    this.#uncompared = 0;
    this.#start = { before: undefined, now: new Measured(this.#size), atLeast: GROW };
  }

  #keepOrGrow(pays: boolean): void {
    if (pays && this.#size < this.#cap && this.#pause === 0) {
      this.#before = this.#gain.timePerOperation;
      this.#size = Math.min(this.#cap, this.#size * 2);
      this.#gain = new PairedGain();
      return;
    }
    // The present size has proved better than half of it.
    if (this.#pause === 0) this.#nextPause = FIRST_PAUSE;
    this.#gain.age();
  }

  #shrink(): void {
    this.#size = this.#half;
    this.#before = Infinity;
    this.#gain = new PairedGain();
    // What shrinks several times in a row meets one trouble, not several.
    const first = this.#pause === 0;
    this.#pause = this.#nextPause;
    if (first) this.#nextPause = Math.min(LONGEST_PAUSE, this.#nextPause * 2);
  }

  /** A batch was too large for the store. Those under way with it will be, too: each counts by its own limit. */
  #retreat(limit: number): void {
    this.#start = undefined;
    if (limit > this.#size) return;
    this.#size = limit;
    this.#shrink();
  }
}

interface StartingPoint {
  readonly before: Measured | undefined;
  readonly now: Measured;
  /** What the last step must have gained to stay. At first, whether half of it would do is left to the comparison. */
  readonly atLeast: number;
}

/** Full batches of one size. */
class Measured {
  readonly size: number;
  count = 0;
  /** Operations per millisecond: of the best of them, as a hitch of either process concerns all that are under way, and makes none faster. */
  rate = 0;

  constructor(size: number) {
    this.size = size;
  }

  add(ops: number, time: number): void {
    this.count++;
    this.rate = Math.max(this.rate, ops / time);
  }
}
