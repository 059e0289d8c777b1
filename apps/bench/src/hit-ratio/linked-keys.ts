const NONE = -1;

/** A doubly linked list of small numbers, each in it at most once: the recency order of the simulated caches. */
export class LinkedKeys {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  #newest: number = NONE;
  #oldest: number = NONE;
  #size = 0;

  constructor(distinct: number) {
    this.#next = new Int32Array(distinct);
    this.#previous = new Int32Array(distinct);
  }

  get size(): number {
    return this.#size;
  }

  /** The key that was added longest ago, -1 for none. */
  get oldest(): number {
    return this.#oldest;
  }

  add(key: number): void {
    this.#next[key] = this.#newest;
    this.#previous[key] = NONE;
    if (this.#newest === NONE) this.#oldest = key;
    else this.#previous[this.#newest] = key;
    this.#newest = key;
    this.#size++;
  }

  remove(key: number): void {
    const next = this.#next[key] as number;
    const previous = this.#previous[key] as number;
    if (previous === NONE) this.#newest = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#oldest = previous;
    else this.#previous[next] = previous;
    this.#size--;
  }

  /** Makes a key the newest again. */
  renew(key: number): void {
    this.remove(key);
    this.add(key);
  }
}
