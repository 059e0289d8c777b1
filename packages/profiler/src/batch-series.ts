const CAPACITY = 64;

/**
 * The means of consecutive batches of values, in order, at constant memory: when 64 batches are full, neighbours are joined
 * and a batch holds twice as many values from then on.
 *
 * Batches are what two runs may be compared by: single durations follow one another too closely to be told apart by a test
 * made for independent ones, the means of long enough batches do not (the method of batch means; B. Schmeiser, "Batch size
 * effects in the analysis of simulation output", Operations Research 30, 1982).
 */
export class BatchSeries {
  #sums: Float64Array | undefined;
  #full = 0;
  #size = 1;
  #sum = 0;
  #count = 0;

  /** Adds the next value. O(1), amortised. */
  record(value: number): void {
    this.#sum += value;
    if (++this.#count < this.#size) return;
    this.#sums ??= new Float64Array(CAPACITY);
    this.#sums[this.#full++] = this.#sum;
    this.#sum = this.#count = 0;
    if (this.#full === CAPACITY) this.#join(this.#sums);
  }

  #join(sums: Float64Array): void {
    for (let i = 0; i < CAPACITY / 2; i++) sums[i] = (sums[2 * i] as number) + (sums[2 * i + 1] as number);
    this.#full = CAPACITY / 2;
    this.#size *= 2;
  }

  /** The mean of each full batch, oldest first: at most 63 of them. */
  means(): number[] {
    return Array.from(this.#sums?.subarray(0, this.#full) ?? [], (sum) => sum / this.#size);
  }
}
