/** Held by work that means to write a key later on. */
export interface Fence {
  /** Whether anyone else has changed the key since. */
  readonly broken: boolean;
  /** The position of the tag history when the work began: what it reads or loads may have ended by a tag since. */
  readonly position: number;
}

class KeyFence implements Fence {
  broken = false;
  readonly position: number;

  constructor(position: number) {
    this.position = position;
  }
}

/**
 * Keeps an older value from overwriting a newer one. Whoever reads or loads a key opens a fence first and writes only if it is not broken; whoever changes the
 * key breaks the fences that are open. Takes memory only for work under way.
 */
export class Fences<K> {
  /** One fence, for most keys, or a set of them. */
  readonly #open = new Map<K, KeyFence | Set<KeyFence>>();

  open(key: K, position: number): Fence {
    const fence = new KeyFence(position);
    const open = this.#open.get(key);
    if (open === undefined) this.#open.set(key, fence);
    else if (open instanceof KeyFence) this.#open.set(key, new Set([open, fence]));
    else open.add(fence);
    return fence;
  }

  close(key: K, fence: Fence): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    if (open === fence) this.#open.delete(key);
    else if (!(open instanceof KeyFence) && open.delete(fence as KeyFence) && open.size === 0) this.#open.delete(key);
  }

  /** Breaks this fence alone: its holder has lost interest. */
  abandon(key: K, fence: Fence): void {
    (fence as KeyFence).broken = true;
    this.close(key, fence);
  }

  break(key: K): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    breakEach(open);
    this.#open.delete(key);
  }

  breakAll(): void {
    for (const open of this.#open.values()) breakEach(open);
    this.#open.clear();
  }
}

function breakEach(open: KeyFence | Set<KeyFence>): void {
  if (open instanceof KeyFence) open.broken = true;
  else for (const fence of open) fence.broken = true;
}
