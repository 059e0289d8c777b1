const SUB_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BITS;
const MIN_EXPONENT = -30;
const MAX_EXPONENT = 49;
const SMALLEST: number = 2 ** MIN_EXPONENT;
const LARGEST: number = 2 ** (MAX_EXPONENT + 1) - 2 ** (MAX_EXPONENT - 20);

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
const HIGH_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** A histogram as plain data, to send elsewhere and {@link Histogram.fromJSON | revive}. */
export interface HistogramJSON {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** How many values were zero or below 2^-30. */
  readonly zeros: number;
  /** `[bucket index, count]` of every bucket that holds something, ascending. */
  readonly buckets: readonly (readonly [number, number])[];
}

/**
 * A log-linear histogram of non-negative numbers.
 *
 * Each power of two is cut in 128 equal buckets and a bucket reports its midpoint, so that a quantile is within
 * 1/256 (0.4 %) of a recorded value, from 2^-30 to 2^50, whatever the unit. The idea is HdrHistogram's (Gil Tene);
 * the bucket is read straight from the bits of the float: exponent and the top seven bits of the mantissa.
 *
 * Recording is O(1) and allocates only when a power of two is seen for the first time (1 KiB).
 */
export class Histogram {
  #octaves: (Float64Array | undefined)[] = [];
  #zeros = 0;
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  /** How many values were recorded. */
  get count(): number {
    return this.#count;
  }

  /** The exact sum of the recorded values. */
  get sum(): number {
    return this.#sum;
  }

  /** The exact smallest value; `NaN` while empty. */
  get min(): number {
    return this.#count === 0 ? NaN : this.#min;
  }

  /** The exact largest value; `NaN` while empty. */
  get max(): number {
    return this.#count === 0 ? NaN : this.#max;
  }

  /** The exact arithmetic mean; `NaN` while empty. */
  get mean(): number {
    return this.#count === 0 ? NaN : this.#sum / this.#count;
  }

  /**
   * Adds `value`, `times` times. Values above 2^50 are counted in the last bucket (`max` and `sum` stay exact).
   * @throws RangeError when `value` is negative, `NaN` or infinite, or `times` is no positive integer
   */
  record(value: number, times = 1): void {
    if (!(value >= 0 && value < Infinity))
      throw new RangeError(`\`value\` must be a non-negative finite number, got ${value}`);
    if (!(times >= 1) || !Number.isSafeInteger(times))
      throw new RangeError(`\`times\` must be a positive integer, got ${times}`);
    this.#count += times;
    this.#sum += value * times;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (value < SMALLEST) {
      this.#zeros += times;
      return;
    }
    this.#add(bucketOf(value), times);
  }

  #add(bucket: number, times: number): void {
    const octave = bucket >> SUB_BITS;
    const counts = (this.#octaves[octave] ??= new Float64Array(SUB_BUCKETS));
    const index = bucket & (SUB_BUCKETS - 1);
    counts[index] = (counts[index] as number) + times;
  }

  /**
   * The value below or at which the share `q` of the recorded values lies (nearest rank), within 0.4 %;
   * exact at `q` 0 and 1. `NaN` while empty. O(buckets in use).
   * @throws RangeError when `q` is not from 0 to 1
   */
  quantile(q: number): number {
    if (!(q >= 0 && q <= 1)) throw new RangeError(`\`q\` must be a number from 0 to 1, got ${q}`);
    if (this.#count === 0) return NaN;
    const rank = Math.ceil(q * this.#count);
    if (rank <= 1) return this.#min;
    if (rank >= this.#count) return this.#max;
    let seen = this.#zeros;
    if (rank <= seen) return Math.max(0, this.#min);
    for (const [bucket, times] of this.#buckets()) {
      seen += times;
      if (rank <= seen) return Math.min(this.#max, Math.max(this.#min, midpointOf(bucket)));
    }
    return this.#max;
  }

  /** Adds everything `other` holds; `other` stays as it is. Merging a histogram into itself doubles it. */
  merge(other: Histogram): void {
    for (const [bucket, times] of other.#buckets()) this.#add(bucket, times);
    this.#zeros += other.#zeros;
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Forgets every value and the memory that held them. */
  reset(): void {
    this.#octaves = [];
    this.#zeros = this.#count = this.#sum = 0;
    this.#min = Infinity;
    this.#max = -Infinity;
  }

  /** Plain data for {@link Histogram.fromJSON}; `min` and `max` are 0 while empty, so that JSON can carry them. */
  toJSON(): HistogramJSON {
    const empty = this.#count === 0;
    return {
      count: this.#count,
      sum: this.#sum,
      min: empty ? 0 : this.#min,
      max: empty ? 0 : this.#max,
      zeros: this.#zeros,
      buckets: [...this.#buckets()],
    };
  }

  /** The histogram that {@link Histogram.toJSON} described. */
  static fromJSON(json: HistogramJSON): Histogram {
    const histogram = new Histogram();
    for (const [bucket, times] of json.buckets) histogram.#add(bucket, times);
    histogram.#zeros = json.zeros;
    histogram.#count = json.count;
    histogram.#sum = json.sum;
    if (json.count > 0) {
      histogram.#min = json.min;
      histogram.#max = json.max;
    }
    return histogram;
  }

  *#buckets(): Generator<[bucket: number, times: number]> {
    for (let octave = 0; octave < this.#octaves.length; octave++) {
      const counts = this.#octaves[octave];
      if (counts === undefined) continue;
      for (let index = 0; index < SUB_BUCKETS; index++) {
        const times = counts[index] as number;
        if (times > 0) yield [(octave << SUB_BITS) | index, times];
      }
    }
  }
}

function bucketOf(value: number): number {
  float[0] = value > LARGEST ? LARGEST : value;
  const high = words[HIGH_WORD] as number;
  return (high >>> (20 - SUB_BITS)) - ((MIN_EXPONENT + 1023) << SUB_BITS);
}

function midpointOf(bucket: number): number {
  const exponent = (bucket >> SUB_BITS) + MIN_EXPONENT;
  const index = bucket & (SUB_BUCKETS - 1);
  return 2 ** exponent * (1 + (index + 0.5) / SUB_BUCKETS);
}
