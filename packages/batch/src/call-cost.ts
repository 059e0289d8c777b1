/** Calls after which an older one counts for little. */
const MEMORY = 64;
/** Calls needed, of sizes that differ by so much of their mean. */
const FEWEST = 8;
const SPREAD = 0.2;
/** A call that takes longer than so many times what is expected counts as that. */
const OUTLIER = 3;

/**
 * What a call costs, as a fixed time and one per operation: a line through the calls lately, the latest counting most (least squares
 * with exponential forgetting).
 */
export class CallCost {
  #weight = 0;
  #size = 0;
  #time = 0;
  #sizeSquared = 0;
  #sizeTime = 0;

  record(size: number, latency: number): void {
    const line = this.#line();
    const expected = line === undefined ? Infinity : line.fixed + line.each * size;
    const time = expected > 0 ? Math.min(latency, OUTLIER * expected) : latency;
    const keep = 1 - 1 / MEMORY;
    this.#weight = this.#weight * keep + 1;
    this.#size = this.#size * keep + size;
    this.#time = this.#time * keep + time;
    this.#sizeSquared = this.#sizeSquared * keep + size * size;
    this.#sizeTime = this.#sizeTime * keep + size * time;
  }

  /**
   * The least that is worth a call of its own: the size at which half of its time is the fixed one, so that splitting what could go together costs
   * the store twice as much at most. `Infinity` if operations cost nothing, `undefined` while unknown.
   */
  get worthIt(): number | undefined {
    const line = this.#line();
    if (line === undefined) return undefined;
    if (line.fixed <= 0) return 1;
    return line.each > 0 ? Math.max(1, Math.round(line.fixed / line.each)) : Infinity;
  }

  #line(): { readonly fixed: number; readonly each: number } | undefined {
    if (this.#weight < FEWEST) return undefined;
    const size = this.#size / this.#weight;
    const time = this.#time / this.#weight;
    const variance = this.#sizeSquared / this.#weight - size ** 2;
    if (variance < (SPREAD * size) ** 2) return undefined;
    const each = (this.#sizeTime / this.#weight - size * time) / variance;
    return { fixed: time - each * size, each };
  }
}
