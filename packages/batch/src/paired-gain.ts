/** Pairs needed before any verdict, and after which there is one whatever the noise. */
const FEWEST = 4;
const MOST = 32;

/** A batch this many times slower or faster than usual counts as so many times: a pause of the store is no matter of size. */
const OUTLIER = 2.5;

/**
 * What a full batch gains over one of half its size, in operations per time: 0.1 is 10 %. Each half batch is paired with the full ones
 * since the one before, so that changes of the store as a whole cancel out. The gain is the ratio of the sums, since it is the mean time that makes throughput;
 * its standard error comes from how the pairs differ.
 */
export class PairedGain {
  #fullOps = 0;
  #fullTime = 0;
  #fullCount = 0;
  /** Milliseconds per operation of full batches lately. */
  #usual = 0;
  #pairs = 0;
  /** Milliseconds per operation, summed over pairs. */
  #sumFull = 0;
  #sumHalf = 0;
  /** Of the pairs' own ratios. */
  #sumRatio = 0;
  #sumSquares = 0;

  full(ops: number, time: number): void {
    const each = this.#tamed(time / ops);
    this.#usual = this.#usual === 0 ? each : this.#usual + (each - this.#usual) / 8;
    this.#fullOps += ops;
    this.#fullTime += each * ops;
    this.#fullCount++;
  }

  /** Of full batches. */
  get timePerOperation(): number {
    return this.#sumFull / this.#pairs;
  }

  /** Whether the full batches so far, before the first pair, are slower by half than `before`, in milliseconds per operation. */
  slowerThan(before: number): boolean {
    return this.#pairs === 0 && this.#fullCount >= 2 && this.#fullTime / this.#fullOps > 1.5 * before;
  }

  half(ops: number, time: number): void {
    if (this.#fullOps === 0) return;
    const full = this.#fullTime / this.#fullOps;
    const half = this.#tamed(time / ops);
    this.#fullOps = this.#fullTime = this.#fullCount = 0;
    this.#pairs++;
    this.#sumFull += full;
    this.#sumHalf += half;
    this.#sumRatio += half / full;
    this.#sumSquares += (half / full) ** 2;
  }

  /** Whether the gain is below `low`, above `high`, or between; `undefined` while that is uncertain. */
  against(low: number, high: number): 'below' | 'between' | 'above' | undefined {
    if (this.#pairs < FEWEST) return undefined;
    const gain = this.#sumHalf / this.#sumFull - 1;
    const margin = this.#pairs < MOST ? 2 * this.#standardError() : 0;
    if (gain + margin < low) return 'below';
    if (gain - margin > high) return 'above';
    return margin === 0 || (gain - margin >= low && gain + margin <= high) ? 'between' : undefined;
  }

  #tamed(time: number): number {
    if (this.#usual === 0) return time;
    return Math.min(OUTLIER * this.#usual, Math.max(this.#usual / OUTLIER, time));
  }

  #standardError(): number {
    const mean = this.#sumRatio / this.#pairs;
    const variance = Math.max(0, this.#sumSquares / this.#pairs - mean ** 2);
    return Math.sqrt(variance / (this.#pairs - 1));
  }

  /** Makes older pairs count for less, after a verdict that changes nothing. */
  age(): void {
    this.#pairs /= 2;
    this.#sumFull /= 2;
    this.#sumHalf /= 2;
    this.#sumRatio /= 2;
    this.#sumSquares /= 2;
  }
}
