/**
 * Decides which entry goes when room is needed. Entries are known by their key and by their slot, a small integer that is reused
 * after the entry is gone; a policy keeps what it knows about an entry in arrays indexed by slot.
 *
 * The cache makes room before it adds: it asks for a {@link EvictionPolicy.victim | victim}, removes it, and then adds the new entry.
 */
export interface EvictionPolicy<K> {
  /** The slot of `key` or -1, leaving no trace. */
  find(key: K): number;
  /** The slot of `key` or -1; a hit counts as a use of the entry. */
  use(key: K): number;
  /** Takes in a key it does not hold. */
  add(key: K, slot: number): void;
  /** Forgets a key it holds. */
  remove(key: K, slot: number): void;
  /** An entry has become heavier by `change`, or lighter. */
  reweigh(slot: number, change: number): void;
  /** The slot that should go next to make room for an entry of weight `incoming`, -1 when there is none. The caller removes it. */
  victim(incoming: number): number;
  /** Slots below `capacity` may appear from now on. It never shrinks, but starts over after {@link EvictionPolicy.clear}. */
  grow(capacity: number): void;
  /** The cache holds at most `maxSize` entries from now on, and does already. */
  resize(maxSize: number): void;
  /** Forgets everything, and gives its memory back. */
  clear(): void;
}
