/** Past this many keys and tags, everything counts as out of step. */
const LIMIT = 10_000;

/** A change: of keys, of all that has one of some tags, or with neither, of everything. */
export interface Change {
  readonly keys?: readonly string[];
  readonly tags?: readonly string[];
}

/**
 * The changes that someone else may not have heard of. Bounded: too many become one change of everything.
 *
 * Changes have numbers, in the order in which they were asked for: one that gets through makes up for those before it, but a later one may have been refused meanwhile.
 */
export class UnsyncedChanges {
  /** With the number of the last change that failed. */
  readonly #keys = new Map<string, number>();
  readonly #tags = new Map<string, number>();
  /** Of everything; 0 for none. */
  #all = 0;
  #last = 0;

  /** Keys and tags, or 1 for everything. */
  get size(): number {
    return this.#all > 0 ? 1 : this.#keys.size + this.#tags.size;
  }

  hasKey(key: string): boolean {
    return this.#all > 0 || this.#keys.has(key);
  }

  /** Whether anything with these tags, none included, may have changed. */
  hasTags(tags: readonly string[]): boolean {
    return this.#all > 0 || (this.#tags.size > 0 && tags.some((tag) => this.#tags.has(tag)));
  }

  /** The number of a change that is asked for now. */
  begin(): number {
    return ++this.#last;
  }

  /** The change did not get through. */
  add({ keys, tags }: Change, number: number): void {
    for (const key of keys ?? []) mark(this.#keys, key, number);
    for (const tag of tags ?? []) mark(this.#tags, tag, number);
    const isOfAll = keys === undefined && tags === undefined;
    if (isOfAll || this.#all > 0 || this.#keys.size + this.#tags.size > LIMIT) this.#addAll();
  }

  /** The change got through. */
  delete({ keys, tags }: Change, number: number): void {
    const isOfAll = keys === undefined && tags === undefined;
    if (isOfAll && this.#all <= number) this.#all = 0;
    for (const key of isOfAll ? [...this.#keys.keys()] : (keys ?? [])) unmark(this.#keys, key, number);
    for (const tag of isOfAll ? [...this.#tags.keys()] : (tags ?? [])) unmark(this.#tags, tag, number);
  }

  /** Up to `limit` keys, or else tags, or everything: what to repeat next. `undefined` when there is nothing. */
  next(limit: number): Change | undefined {
    if (this.#all > 0) return {};
    if (this.#keys.size > 0) return { keys: [...this.#keys.keys()].slice(0, limit) };
    if (this.#tags.size > 0) return { tags: [...this.#tags.keys()].slice(0, limit) };
    return undefined;
  }

  #addAll(): void {
    // As if it were the last one: to repeat it once more does no harm.
    this.#all = this.#last;
    this.#keys.clear();
    this.#tags.clear();
  }
}

function mark(numbers: Map<string, number>, name: string, number: number): void {
  numbers.set(name, Math.max(number, numbers.get(name) ?? 0));
}

function unmark(numbers: Map<string, number>, name: string, number: number): void {
  if ((numbers.get(name) ?? Infinity) <= number) numbers.delete(name);
}
