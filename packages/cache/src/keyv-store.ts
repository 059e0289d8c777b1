import { checkDuration, checkFunction, checkName, checkOptions } from '@perf/core';
import { type KeyvAdapter, type KeyvChange, readAll, writeAll } from './keyv-adapter.ts';
import { type KeyvCell, packCell, randomId, unpackCell } from './keyv-cell.ts';
import { MutationQueue } from './mutation-queue.ts';
import type { Store, StoreEntry, StoreWrite } from './store.ts';

/** Options of {@link keyvStore}. */
export interface KeyvStoreOptions {
  /** What every key starts with; no `:` in it. @default 'perf' */
  readonly prefix?: string;
  /**
   * Milliseconds for which changes of a key are remembered. A value whose load took longer is not kept; each entry stays in the adapter at least this long.
   * @default 60_000
   */
  readonly fenceFor?: number;
}

/** Past this, times would no longer be whole milliseconds. */
const LONGEST_TTL: number = 2 ** 52;

/** What all stores over one adapter object share: changes take turns, whichever store makes them. */
interface Turns {
  readonly queue: MutationQueue;
  /** First generations that are being made, by name. */
  readonly beginnings: Map<string, Promise<string>>;
}

const TURNS = new WeakMap<KeyvAdapter, Turns>();

/**
 * Keeps values in an adapter of Keyv 5 or 6 (or a `Keyv`, or a `Map`), which stays yours to close.
 *
 * Keyv cannot compare and set. Within a process, what uses the same adapter object takes turns, and the rules of {@link Store} hold. Between processes,
 * a change that another one makes while a loaded value is being written, after the comparison, may be overwritten by it.
 *
 * @throws RangeError or TypeError naming what is wrong
 */
export function keyvStore(adapter: KeyvAdapter, options: KeyvStoreOptions = {}): Store {
  checkOptions('keyvStore', options, ['prefix', 'fenceFor']);
  for (const method of ['get', 'set'] as const) checkFunction(`adapter.${method}`, adapter?.[method]);
  const { prefix = 'perf', fenceFor = 60_000 } = options;
  if (checkName('prefix', prefix).includes(':')) {
    throw new RangeError(`\`prefix\` must not contain a colon, got ${JSON.stringify(prefix)}`);
  }
  checkDuration('fenceFor', fenceFor);
  if (!Number.isSafeInteger(fenceFor)) throw new RangeError(`\`fenceFor\` must be finite and whole, got ${fenceFor}`);
  return new KeyvStore(adapter, { prefix, fenceFor });
}

/** What is there at a moment: the generation of the namespace, which a `clear` changes, and a cell for each key. */
interface View {
  readonly generation: string | undefined;
  readonly cells: readonly (KeyvCell | undefined)[];
}

class KeyvStore implements Store {
  readonly #adapter: KeyvAdapter;
  readonly #options: Required<KeyvStoreOptions>;
  readonly #turns: Turns;

  constructor(adapter: KeyvAdapter, options: Required<KeyvStoreOptions>) {
    this.#adapter = adapter;
    this.#options = options;
    this.#turns = TURNS.get(adapter) ?? { queue: new MutationQueue(), beginnings: new Map() };
    TURNS.set(adapter, this.#turns);
  }

  async getMany(namespace: string, keys: readonly string[]): Promise<readonly StoreEntry[]> {
    if (keys.length === 0) return [];
    // Before the question: whatever happens from now on is a change since.
    const readAt = performance.now();
    const { generation = await this.#begin(namespace), cells } = await this.#look(namespace, keys);
    const now = Date.now();
    return cells.map((cell) => {
      const isThere = cell?.bytes !== undefined && cell.generation === generation && cell.expires > now;
      const version = packVersion({ generation, readAt, id: cell?.id ?? '' });
      return { bytes: isThere ? cell.bytes : undefined, ttl: isThere ? cell.expires - now : 0, version };
    });
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    if (writes.length === 0) return [];
    const keys = [...new Set(writes.map(({ key }) => key))];
    let written: readonly boolean[] = [];
    await this.#turns.queue.run(this.#names(namespace, keys), async () => {
      written = await this.#write(namespace, keys, writes);
    });
    return written;
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#turns.queue.run(this.#names(namespace, keys), async () => {
      const before = await this.#look(namespace, keys);
      const marks = keys.map((): KeyvCell => ({ generation: '', id: randomId(), expires: Infinity, bytes: undefined }));
      await this.#put(namespace, keys, marks);
      confirm({ before: before.cells, put: marks, after: (await this.#look(namespace, keys)).cells });
    });
  }

  async clear(namespace: string): Promise<void> {
    await this.#turns.queue.runAlone(async () => {
      const before = await this.#look(namespace, []);
      const generation = randomId();
      await this.#setGeneration(namespace, generation);
      const after = await this.#look(namespace, []);
      if (after.generation === undefined || after.generation === before.generation) throw notKept();
    });
  }

  async #write(namespace: string, keys: readonly string[], writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    const before = await this.#look(namespace, keys);
    const generation = before.generation ?? (await this.#begin(namespace));
    const found = new Map(keys.map((key, index) => [key, before.cells[index]]));
    const put = new Map<string, KeyvCell>();
    const fenced = writes.map((write) => write.ifVersion !== undefined);
    const isWritten = writes.map(({ key, bytes, ttl, ifVersion }) => {
      if (ifVersion !== undefined && !this.#isCurrent(ifVersion, generation, put.get(key) ?? found.get(key)))
        return false;
      const expires = ttl >= LONGEST_TTL ? Infinity : Math.floor(Date.now() + ttl);
      put.set(key, { generation, id: randomId(), expires, bytes });
      return true;
    });
    if (put.size === 0) return isWritten;
    const names = [...put.keys()];
    await this.#put(namespace, names, [...put.values()]);
    const after = await this.#look(namespace, names);
    confirm({ before: names.map((name) => found.get(name)), put: [...put.values()], after: after.cells });
    // Cleared by another process meanwhile: what was written is of a generation of the past.
    return isWritten.map((each, index) => each && !(fenced[index] === true && after.generation !== generation));
  }

  #isCurrent(packed: string, generation: string, cell: KeyvCell | undefined): boolean {
    const version = unpackVersion(packed);
    if (performance.now() >= version.readAt + this.#options.fenceFor) return false;
    return version.generation === generation && version.id === (cell?.id ?? '');
  }

  async #put(namespace: string, keys: readonly string[], cells: readonly KeyvCell[]): Promise<void> {
    const names = this.#names(namespace, keys);
    const now = Date.now();
    const changes = cells.map((cell, index): KeyvChange => {
      // Kept a while after its value has ended: it tells that there was a change.
      const ttl =
        cell.bytes === undefined ? this.#options.fenceFor : Math.max(cell.expires - now, this.#options.fenceFor);
      return { key: names[index] as string, value: packCell(cell), ttl };
    });
    await writeAll(this.#adapter, changes);
  }

  async #look(namespace: string, keys: readonly string[]): Promise<View> {
    const names = [this.#generationName(namespace), ...this.#names(namespace, keys)];
    const [first, ...rest] = await readAll(this.#adapter, names);
    return { generation: unpackCell(first)?.generation, cells: keys.map((_, index) => unpackCell(rest[index])) };
  }

  /** The first generation of a namespace, or the next one after the adapter has lost it. Takes no turn: whoever has one may be the one to ask. */
  #begin(namespace: string): Promise<string> {
    const { beginnings } = this.#turns;
    const name = this.#generationName(namespace);
    const beginning = beginnings.get(name) ?? this.#makeGeneration(namespace).finally(() => beginnings.delete(name));
    beginnings.set(name, beginning);
    return beginning;
  }

  async #makeGeneration(namespace: string): Promise<string> {
    const found = await this.#look(namespace, []);
    if (found.generation !== undefined) return found.generation;
    await this.#setGeneration(namespace, randomId());
    const { generation } = await this.#look(namespace, []);
    if (generation === undefined) throw notKept();
    return generation;
  }

  async #setGeneration(namespace: string, generation: string): Promise<void> {
    const value = packCell({ generation, id: generation, expires: Infinity, bytes: undefined });
    await writeAll(this.#adapter, [{ key: this.#generationName(namespace), value, ttl: Infinity }]);
  }

  #generationName(namespace: string): string {
    return `${this.#options.prefix}:${namespace}`;
  }

  #names(namespace: string, keys: readonly string[]): string[] {
    return keys.map((key) => `${this.#options.prefix}:${namespace}:${key}`);
  }
}

/**
 * Adapters may report errors as events, and resolve as if all was well: so whatever is changed is read again. It must be there, or something newer.
 */
function confirm(cells: {
  readonly before: readonly (KeyvCell | undefined)[];
  readonly put: readonly KeyvCell[];
  readonly after: readonly (KeyvCell | undefined)[];
}): void {
  for (const [index, { id }] of cells.put.entries()) {
    const after = cells.after[index]?.id;
    if (after === id) continue;
    if (after === undefined || after === cells.before[index]?.id) throw notKept();
  }
}

function notKept(): Error {
  return new Error('the Keyv adapter did not keep what was written; it may have reported why with an `error` event');
}

/** What a version stands for: the cell of the key, in a generation, at a time of this process's clock. */
interface Version {
  readonly generation: string;
  readonly readAt: number;
  readonly id: string;
}

function packVersion({ generation, readAt, id }: Version): string {
  return `${generation}/${readAt}/${id}`;
}

function unpackVersion(version: string): Version {
  const [generation = '', readAt = '', id = ''] = version.split('/');
  return { generation, readAt: Number(readAt), id };
}
