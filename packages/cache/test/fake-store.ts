import type { HeldLease, LeaseAnswer, LeaseRequest, Store, StoreEntry, StoreLeases, StoreWrite } from '../src/index.ts';

type Operation = 'getMany' | 'setMany' | 'deleteMany' | 'invalidateTags' | 'clear' | 'acquire' | 'extend' | 'release';

interface Cell {
  readonly bytes: Uint8Array | undefined;
  readonly until: number;
  readonly tags: readonly string[];
  /** The number of the change that made it. */
  readonly change: number;
}

interface Lease {
  readonly token: string;
  readonly until: number;
}

interface Namespace {
  readonly cells: Map<string, Cell>;
  readonly leases: Map<string, Lease>;
  /** The change that invalidated a tag last. */
  readonly tags: Map<string, number>;
  /** The change that cleared it last. */
  cleared: number;
}

/**
 * A store as the contract wants it, in memory, which remembers everything. Each operation can be made to fail, and be held back before or after it takes effect.
 * Every change has a number; a version is the number of the last one there was when it was read.
 */
export class FakeStore implements Store {
  /** With the keys, or the tags, of the call. */
  readonly calls: [operation: Operation, keys: readonly string[]][] = [];
  /** Operations that reject. */
  readonly broken = new Set<Operation>();
  /** Awaited before an operation takes effect. */
  before: (operation: Operation) => Promise<unknown> | undefined = () => undefined;
  /** Awaited after an operation has taken effect. */
  after: (operation: Operation) => Promise<unknown> | undefined = () => undefined;
  readonly leases?: StoreLeases;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #now: () => number;
  #changes = 0;

  constructor(now: () => number = () => performance.now(), { leases = true }: { readonly leases?: boolean } = {}) {
    this.#now = now;
    if (!leases) return;
    this.leases = {
      acquire: (namespace, requests) =>
        this.#run('acquire', keysOf(requests), () => requests.map((request) => this.#acquire(namespace, request))),
      extend: (namespace, held, ttl) =>
        this.#run('extend', keysOf(held), () => held.map((lease) => this.#extend(namespace, lease, ttl))),
      release: (namespace, held) =>
        this.#run('release', keysOf(held), () => {
          const { leases: all } = this.#namespace(namespace);
          for (const { key, token } of held) if (all.get(key)?.token === token) all.delete(key);
        }),
    };
  }

  async getMany(namespace: string, keys: readonly string[]): Promise<readonly StoreEntry[]> {
    return this.#run('getMany', keys, () => keys.map((key) => this.#read(namespace, key)));
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    return this.#run('setMany', keysOf(writes), () =>
      writes.map((write) => {
        const { key, bytes, ttl, tags = [], ifVersion, lease } = write;
        if (ifVersion !== undefined && !this.#isUnchanged(namespace, key, { version: ifVersion, tags })) return false;
        if (lease !== undefined && this.#namespace(namespace).leases.get(key)?.token !== lease) return false;
        this.#put(namespace, key, { bytes, until: this.#now() + ttl, tags });
        return true;
      }),
    );
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    await this.#run('deleteMany', keys, () => {
      for (const key of keys) this.#put(namespace, key, { bytes: undefined, until: Infinity, tags: [] });
    });
  }

  async invalidateTags(namespace: string, tags: readonly string[]): Promise<void> {
    await this.#run('invalidateTags', tags, () => {
      for (const tag of tags) this.#namespace(namespace).tags.set(tag, ++this.#changes);
    });
  }

  async clear(namespace: string): Promise<void> {
    await this.#run('clear', [], () => {
      const all = this.#namespace(namespace);
      all.cells.clear();
      all.leases.clear();
      all.cleared = ++this.#changes;
    });
  }

  /** Spoils what is stored. */
  corrupt(namespace: string, key: string, bytes: Uint8Array): void {
    this.#put(namespace, key, { bytes, until: Infinity, tags: [] });
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

  #read(namespace: string, key: string): StoreEntry {
    const cell = this.#namespace(namespace).cells.get(key);
    const isThere = cell?.bytes !== undefined && cell.until > this.#now() && !this.#isEnded(namespace, cell);
    return {
      bytes: isThere ? cell.bytes : undefined,
      ttl: isThere ? cell.until - this.#now() : 0,
      tags: isThere ? cell.tags : [],
      leasedFor: this.#leasedFor(namespace, key),
      version: String(this.#changes),
    };
  }

  #acquire(namespace: string, { key, version, ttl }: LeaseRequest): LeaseAnswer {
    if (!this.#isUnchanged(namespace, key, { version, tags: [] })) return { token: undefined, leasedFor: 0 };
    const leasedFor = this.#leasedFor(namespace, key);
    if (leasedFor > 0) return { token: undefined, leasedFor };
    const token = String(++this.#changes);
    this.#namespace(namespace).leases.set(key, { token, until: this.#now() + ttl });
    return { token, version: token };
  }

  #extend(namespace: string, { key, token }: HeldLease, ttl: number): boolean {
    const { leases } = this.#namespace(namespace);
    if (leases.get(key)?.token !== token || this.#leasedFor(namespace, key) === 0) return false;
    leases.set(key, { token, until: this.#now() + ttl });
    return true;
  }

  #leasedFor(namespace: string, key: string): number {
    return Math.max(0, (this.#namespace(namespace).leases.get(key)?.until ?? 0) - this.#now());
  }

  #isUnchanged(namespace: string, key: string, read: { version: string; tags: readonly string[] }): boolean {
    const { cells, tags, cleared } = this.#namespace(namespace);
    const cell = cells.get(key);
    // To have been ended by a tag is a change of the key, whatever tags the next entry has.
    const ends = [...read.tags, ...(cell?.tags ?? [])].map((tag) => tags.get(tag) ?? 0);
    return Number(read.version) >= Math.max(cleared, cell?.change ?? 0, ...ends);
  }

  #isEnded(namespace: string, { tags, change }: Cell): boolean {
    return tags.some((tag) => (this.#namespace(namespace).tags.get(tag) ?? 0) > change);
  }

  #put(namespace: string, key: string, cell: Omit<Cell, 'change'>): void {
    const { cells, leases } = this.#namespace(namespace);
    cells.set(key, { ...cell, change: ++this.#changes });
    leases.delete(key);
  }

  #namespace(name: string): Namespace {
    const found = this.#namespaces.get(name) ?? { cells: new Map(), leases: new Map(), tags: new Map(), cleared: 0 };
    this.#namespaces.set(name, found);
    return found;
  }
}

function keysOf(items: readonly { readonly key: string }[]): readonly string[] {
  return items.map(({ key }) => key);
}
