/**
 * Keeps the changes this process makes to a store in the order they were asked for, key by key, whatever time each takes: a slow `set` must not land after
 * the `delete` that followed it. Changes of different keys run side by side.
 */
export class MutationQueue {
  readonly #tails = new Map<string, Promise<void>>();
  #barrier: Promise<void> | undefined;

  /** Runs `change` after every earlier change of these keys; at once if there is none. */
  run(keys: readonly string[], change: () => Promise<void>): Promise<void> {
    const running = after(this.#before(keys), change);
    const tail = settled(running);
    for (const key of keys) this.#tails.set(key, tail);
    void tail.then(() => {
      for (const key of keys) if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    return running;
  }

  /** Runs `change` after everything asked for earlier, and before everything asked for later. */
  runAlone(change: () => Promise<void>): Promise<void> {
    const running = after(this.#all(), change);
    const tail = settled(running);
    this.#barrier = tail;
    void tail.then(() => {
      if (this.#barrier === tail) this.#barrier = undefined;
    });
    return running;
  }

  /** Runs `change` after everything asked for earlier, and holds up nothing. */
  runAfterAll(change: () => Promise<void>): Promise<void> {
    return after(this.#all(), change);
  }

  /** Whether a change of everything is under way. */
  get isBarred(): boolean {
    return this.#barrier !== undefined;
  }

  /** Whether no change that holds up others is under way. */
  get isIdle(): boolean {
    return this.#barrier === undefined && this.#tails.size === 0;
  }

  /** Whether a change of this key is still under way. */
  isPending(key: string): boolean {
    return this.#barrier !== undefined || this.#tails.has(key);
  }

  /** Resolves when the changes of these keys that were asked for so far are over. */
  async settled(keys: readonly string[]): Promise<void> {
    await Promise.all(this.#before(keys));
  }

  #before(keys: readonly string[]): Promise<void>[] {
    const before = new Set<Promise<void>>();
    if (this.#barrier !== undefined) before.add(this.#barrier);
    for (const key of keys) {
      const tail = this.#tails.get(key);
      if (tail !== undefined) before.add(tail);
    }
    return [...before];
  }

  #all(): Promise<void>[] {
    const all = new Set(this.#tails.values());
    if (this.#barrier !== undefined) all.add(this.#barrier);
    return [...all];
  }
}

async function after(before: readonly Promise<void>[], change: () => Promise<void>): Promise<void> {
  if (before.length > 0) await Promise.all(before);
  return change();
}

async function settled(running: Promise<void>): Promise<void> {
  try {
    await running;
  } catch {
    // Whoever asked for the change hears of it.
  }
}
