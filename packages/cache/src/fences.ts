/** Held by work that means to write a key later on. Broken as soon as anyone else changes the key. */
export interface Fence {
  readonly broken: boolean;
}

class KeyFence implements Fence {
  broken = false;
}

/**
 * Keeps an older value from overwriting a newer one. Whoever reads or loads a key opens a fence first and writes only if it is not broken; whoever changes the
 * key breaks the fences that are open. Takes memory only for work under way.
 */
export class Fences<K> {
  readonly #open = new Map<K, Set<KeyFence>>();

  open(key: K): Fence {
    const fence = new KeyFence();
    const open = this.#open.get(key);
    if (open === undefined) this.#open.set(key, new Set([fence]));
    else open.add(fence);
    return fence;
  }

  close(key: K, fence: Fence): void {
    const open = this.#open.get(key);
    if (open?.delete(fence as KeyFence) === true && open.size === 0) this.#open.delete(key);
  }

  /** Breaks this fence alone: its holder has lost interest. */
  abandon(key: K, fence: Fence): void {
    (fence as KeyFence).broken = true;
    this.close(key, fence);
  }

  break(key: K): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    for (const fence of open) fence.broken = true;
    this.#open.delete(key);
  }

  breakAll(): void {
    for (const open of this.#open.values()) for (const fence of open) fence.broken = true;
    this.#open.clear();
  }
}
