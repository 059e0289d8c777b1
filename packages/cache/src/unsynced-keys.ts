/** Past this many keys the whole namespace counts as out of step. */
const LIMIT = 10_000;

/**
 * The keys whose last change may not have reached the store. What the store says about them is not to be believed until a deletion got through.
 */
export class UnsyncedKeys {
  readonly #keys = new Set<string>();
  #all = false;

  /** Whether everything is out of step: only clearing the store helps. */
  get all(): boolean {
    return this.#all;
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#all || this.#keys.has(key);
  }

  add(keys: readonly string[]): void {
    if (this.#all) return;
    for (const key of keys) this.#keys.add(key);
    if (this.#keys.size > LIMIT) this.addAll();
  }

  addAll(): void {
    this.#all = true;
    this.#keys.clear();
  }

  delete(keys: readonly string[]): void {
    for (const key of keys) this.#keys.delete(key);
  }

  clear(): void {
    this.#all = false;
    this.#keys.clear();
  }
}
