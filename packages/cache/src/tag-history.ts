/** Past this many tags the history forgets the oldest invalidations, and takes what it no longer knows for ended. */
const LIMIT = 10_000;

/**
 * When tags were invalidated, by a count of invalidations instead of a clock. What has tags remembers the position at which it was read or loaded, and has ended as soon
 * as one of them was invalidated after that: no index of who has which tag, and an invalidation costs the same whatever it ends.
 */
export class TagHistory {
  /** Ordered by position, for a tag is moved to the end when it is invalidated again. */
  readonly #invalidated = new Map<string, number>();
  #position = 0;
  /** The last position that was forgotten. */
  #forgotten = 0;

  /** Grows with each invalidation. */
  get position(): number {
    return this.#position;
  }

  invalidate(tags: readonly string[]): void {
    if (tags.length === 0) return;
    this.#position++;
    for (const tag of tags) {
      this.#invalidated.delete(tag);
      this.#invalidated.set(tag, this.#position);
    }
    if (this.#invalidated.size <= LIMIT) return;
    // Half at a time: the first entries of a Map are found by walking over what was deleted before them.
    let excess = this.#invalidated.size - LIMIT / 2;
    for (const [tag, position] of this.#invalidated) {
      if (excess-- <= 0) break;
      this.#forgotten = position;
      this.#invalidated.delete(tag);
    }
  }

  /** Whether one of the tags was invalidated after `position`; also when that is no longer known. */
  hasEnded(tags: readonly string[], position: number): boolean {
    if (position === this.#position || tags.length === 0) return false;
    return tags.some((tag) => (this.#invalidated.get(tag) ?? this.#forgotten) > position);
  }
}
