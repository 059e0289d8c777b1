/** Past this many keys and tags, everything counts as out of step. */
const LIMIT = 10_000;

/** A change: of keys, of all that has one of some tags, or with neither, of everything. */
export interface Change {
  readonly keys?: readonly string[];
  readonly tags?: readonly string[];
}

/** The changes that someone else may not have heard of. Bounded: too many become one change of everything. */
export class UnsyncedChanges {
  readonly #keys = new Set<string>();
  readonly #tags = new Set<string>();
  #all = false;

  /** Keys and tags, or 1 for everything. */
  get size(): number {
    return this.#all ? 1 : this.#keys.size + this.#tags.size;
  }

  hasKey(key: string): boolean {
    return this.#all || this.#keys.has(key);
  }

  /** Whether anything with these tags, none included, may have changed. */
  hasTags(tags: readonly string[]): boolean {
    return this.#all || (this.#tags.size > 0 && tags.some((tag) => this.#tags.has(tag)));
  }

  add({ keys, tags }: Change): void {
    if (this.#all) return;
    for (const key of keys ?? []) this.#keys.add(key);
    for (const tag of tags ?? []) this.#tags.add(tag);
    if ((keys === undefined && tags === undefined) || this.#keys.size + this.#tags.size > LIMIT) this.#addAll();
  }

  /** The change got through. */
  delete({ keys, tags }: Change): void {
    if (keys === undefined && tags === undefined) {
      this.#all = false;
      this.#keys.clear();
      this.#tags.clear();
    }
    for (const key of keys ?? []) this.#keys.delete(key);
    for (const tag of tags ?? []) this.#tags.delete(tag);
  }

  /** Up to `limit` keys, or else tags, or everything: what to repeat next. `undefined` when there is nothing. */
  next(limit: number): Change | undefined {
    if (this.#all) return {};
    if (this.#keys.size > 0) return { keys: [...this.#keys].slice(0, limit) };
    if (this.#tags.size > 0) return { tags: [...this.#tags].slice(0, limit) };
    return undefined;
  }

  #addAll(): void {
    this.#all = true;
    this.#keys.clear();
    this.#tags.clear();
  }
}
