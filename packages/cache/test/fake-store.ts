import type { Store, StoreEntry, StoreWrite } from '../src/index.ts';

type Operation = 'getMany' | 'setMany' | 'deleteMany' | 'clear';

interface Cell {
  readonly bytes: Uint8Array | undefined;
  readonly until: number;
  readonly version: number;
}

/** A store as the contract wants it, in memory; each operation can be made to fail, and be held back before or after it takes effect. */
export class FakeStore implements Store {
  readonly calls: [operation: Operation, keys: readonly string[]][] = [];
  /** Operations that reject. */
  readonly broken = new Set<Operation>();
  /** Awaited before an operation takes effect. */
  before: (operation: Operation) => Promise<unknown> | undefined = () => undefined;
  /** Awaited after an operation has taken effect. */
  after: (operation: Operation) => Promise<unknown> | undefined = () => undefined;
  readonly #cells = new Map<string, Cell>();
  readonly #now: () => number;
  #versions = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  async getMany(namespace: string, keys: readonly string[]): Promise<readonly StoreEntry[]> {
    return this.#run('getMany', keys, () =>
      keys.map((key) => {
        const cell = this.#cells.get(`${namespace}:${key}`);
        const ttl = cell === undefined ? 0 : cell.until - this.#now();
        return { bytes: ttl > 0 ? cell?.bytes : undefined, ttl, version: this.#versionOf(namespace, key) };
      }),
    );
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    const keys = writes.map(({ key }) => key);
    return this.#run('setMany', keys, () =>
      writes.map(({ key, bytes, ttl, ifVersion }) => {
        if (ifVersion !== undefined && ifVersion !== this.#versionOf(namespace, key)) return false;
        this.#put(`${namespace}:${key}`, bytes, this.#now() + ttl);
        return true;
      }),
    );
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    await this.#run('deleteMany', keys, () => {
      for (const key of keys) this.#put(`${namespace}:${key}`, undefined, Infinity);
    });
  }

  async clear(namespace: string): Promise<void> {
    await this.#run('clear', [], () => {
      for (const key of this.#cells.keys()) if (key.startsWith(`${namespace}:`)) this.#put(key, undefined, Infinity);
      this.#put(`${namespace}::`, undefined, Infinity);
    });
  }

  /** Spoils what is stored. */
  corrupt(namespace: string, key: string, bytes: Uint8Array): void {
    this.#put(`${namespace}:${key}`, bytes, Infinity);
  }

  countOf(operation: Operation): number {
    return this.calls.filter(([name]) => name === operation).length;
  }

  async #run<T>(operation: Operation, keys: readonly string[], work: () => T): Promise<T> {
    this.calls.push([operation, keys]);
    await this.before(operation);
    if (this.broken.has(operation)) throw new Error(`${operation} is broken`);
    const result = work();
    await this.after(operation);
    return result;
  }

  #put(cell: string, bytes: Uint8Array | undefined, until: number): void {
    this.#cells.set(cell, { bytes, until, version: ++this.#versions });
  }

  #versionOf(namespace: string, key: string): string {
    const own = this.#cells.get(`${namespace}:${key}`)?.version ?? 0;
    const all = this.#cells.get(`${namespace}::`)?.version ?? 0;
    return `${own}/${all}`;
  }
}
