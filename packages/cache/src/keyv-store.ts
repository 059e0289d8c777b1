import { checkFunction, checkOptions } from '@perf/core';
import { checkFenceFor, checkNamePart } from './check-store-options.ts';
import type { KeyvAdapter } from './keyv-adapter.ts';
import { type KeyvCell, type KeyvTag, markOf, randomId } from './keyv-cell.ts';
import { KeyvCells, KeyvNames, type Turns, confirm, notKept, turnsOf } from './keyv-cells.ts';
import { type KeyvVersion, packVersion, unpackVersion } from './keyv-version.ts';
import type { Store, StoreEntry, StoreReadHints, StoreWrite } from './store.ts';

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

/**
 * Keeps values in an adapter of Keyv 5 or 6 (or a `Keyv`, or a `Map`), which stays yours to close.
 *
 * Keyv cannot compare and set. Within a process, what uses the same adapter object takes turns, and the rules of {@link Store} hold. Between processes,
 * a write or deletion that another one makes while a loaded value is being written, after the comparison, may be overwritten by it. Tags and `clear` have no such gap, and
 * there are no leases.
 *
 * @throws RangeError or TypeError naming what is wrong
 */
export function keyvStore(adapter: KeyvAdapter, options: KeyvStoreOptions = {}): Store {
  checkOptions('keyvStore', options, ['prefix', 'fenceFor']);
  for (const method of ['get', 'set'] as const) checkFunction(`adapter.${method}`, adapter?.[method]);
  const { prefix = 'perf', fenceFor = 60_000 } = options;
  checkNamePart('prefix', prefix);
  checkFenceFor(fenceFor);
  return new KeyvStore(adapter, { prefix, fenceFor });
}

/** What was found in one go. */
interface View {
  readonly generation: string | undefined;
  readonly history: string | undefined;
  readonly cells: readonly (KeyvCell | undefined)[];
}

/** What a write is compared with. */
interface Now {
  readonly generation: string;
  readonly history: string | undefined;
  readonly cell: KeyvCell | undefined;
  /** The ids of the tags of all writes, and of the entries they replace. */
  readonly tags: ReadonlyMap<string, string>;
}

class KeyvStore implements Store {
  readonly #fenceFor: number;
  readonly #cells: KeyvCells;
  readonly #names: KeyvNames;
  readonly #turns: Turns;

  constructor(adapter: KeyvAdapter, { prefix, fenceFor }: Required<KeyvStoreOptions>) {
    this.#fenceFor = fenceFor;
    this.#cells = new KeyvCells(adapter, fenceFor);
    this.#names = new KeyvNames(prefix);
    this.#turns = turnsOf(adapter);
  }

  async getMany(namespace: string, keys: readonly string[], hints?: StoreReadHints): Promise<readonly StoreEntry[]> {
    if (keys.length === 0) return [];
    // Before the question: whatever happens from now on is a change since.
    const readAt = performance.now();
    const hinted = [...new Set(hints?.tags ?? [])];
    const [view, ids] = await this.#lookWith(namespace, keys, hinted);
    const { generation = await this.#cells.begin(this.#names.generation(namespace)) } = view;
    const { history = await this.#cells.begin(this.#names.history(namespace)) } = view;
    const now = Date.now();
    const alive = view.cells.map((cell) =>
      cell?.bytes !== undefined && cell.generation === generation && cell.expires > now ? cell : undefined,
    );
    await this.#learn(namespace, ids, tagsOf(alive));
    const known = [...ids];
    return view.cells.map((cell, index): StoreEntry => {
      const version = packVersion({ generation, history, readAt, id: cell?.id ?? '', known });
      const found = alive[index];
      if (found === undefined || found.tags.some(([tag, id]) => ids.get(tag) !== id))
        return { bytes: undefined, ttl: 0, tags: [], leasedFor: 0, version };
      const tags = found.tags.map(([tag]) => tag);
      return { bytes: found.bytes, ttl: found.expires - now, tags, leasedFor: 0, version };
    });
  }

  async setMany(namespace: string, writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    if (writes.length === 0) return [];
    const keys = [...new Set(writes.map(({ key }) => key))];
    let written: readonly boolean[] = [];
    await this.#turns.queue.run(this.#names.keys(namespace, keys), async () => {
      written = await this.#write(namespace, keys, writes);
    });
    return written;
  }

  async deleteMany(namespace: string, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const names = this.#names.keys(namespace, keys);
    await this.#turns.queue.run(names, async () => {
      const before = await this.#cells.look(names);
      const put = keys.map(() => markOf(randomId()));
      await this.#cells.put(names, put);
      confirm({ before, put, after: await this.#cells.look(names) });
    });
  }

  /** The history first, the tags last: see `#prepare`. */
  async invalidateTags(namespace: string, tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    const history = this.#names.history(namespace);
    const names = this.#names.tags(namespace, [...new Set(tags)]);
    const all = [history, ...names];
    const before = await this.#cells.look(all);
    const put = all.map(() => newMark());
    await this.#cells.put([history], put.slice(0, 1));
    await this.#cells.put(names, put.slice(1));
    confirm({ before, put, after: await this.#cells.look(all) });
  }

  async clear(namespace: string): Promise<void> {
    const names = [this.#names.generation(namespace)];
    await this.#turns.queue.runAlone(async () => {
      const before = await this.#cells.look(names);
      await this.#cells.put(names, [newMark()]);
      const after = await this.#cells.look(names);
      if (after[0] === undefined || after[0].id === before[0]?.id) throw notKept();
    });
  }

  async #write(namespace: string, keys: readonly string[], writes: readonly StoreWrite[]): Promise<readonly boolean[]> {
    const { found, ...now } = await this.#prepare(namespace, keys, writes);
    const put = new Map<string, KeyvCell>();
    const isWritten = writes.map((write) => {
      const cell = put.get(write.key) ?? found.get(write.key);
      if (write.ifVersion !== undefined && !this.#isCurrent(write, { ...now, cell })) return false;
      put.set(write.key, cellOf(write, now));
      return true;
    });
    if (put.size === 0) return isWritten;
    const putKeys = [...put.keys()];
    await this.#cells.put(this.#names.keys(namespace, putKeys), [...put.values()]);
    const after = await this.#look(namespace, putKeys);
    confirm({ before: putKeys.map((key) => found.get(key)), put: [...put.values()], after: after.cells });
    // Cleared, or ended by a tag, by another process meanwhile: what was written is of the past.
    return isWritten.map((each, index) => {
      const { ifVersion, tags = [] } = writes[index] as StoreWrite;
      if (!each || ifVersion === undefined) return each;
      return after.generation === now.generation && (tags.length === 0 || after.history === now.history);
    });
  }

  /**
   * Tags are looked at before the history, and an invalidation changes the history before the tags. So whoever has found the tags as they are after an invalidation finds the
   * history changed; and an entry that was written with tags as they were before it is ended by it, whenever it arrives.
   */
  async #prepare(
    namespace: string,
    keys: readonly string[],
    writes: readonly StoreWrite[],
  ): Promise<Omit<Now, 'cell'> & { readonly found: ReadonlyMap<string, KeyvCell | undefined> }> {
    const wanted = [...new Set(writes.flatMap((write) => write.tags ?? []))];
    const [first, tags] = await this.#lookWith(namespace, keys, wanted);
    const before = tagsOf(first.cells);
    await this.#learn(namespace, tags, before);
    for (const tag of wanted) {
      // oxlint-disable-next-line no-await-in-loop -- once in the life of a tag
      if (!tags.has(tag)) tags.set(tag, await this.#cells.begin(this.#names.tags(namespace, [tag])[0] as string));
    }
    const isTagged = wanted.length > 0 || before.length > 0;
    const last = isTagged ? await this.#look(namespace, []) : first;
    const { generation = await this.#cells.begin(this.#names.generation(namespace)), history } = last;
    return { generation, history, tags, found: new Map(keys.map((key, index) => [key, first.cells[index]])) };
  }

  #isCurrent(write: StoreWrite, now: Now): boolean {
    const version = unpackVersion(write.ifVersion ?? '');
    if (version === undefined || performance.now() >= version.readAt + this.#fenceFor) return false;
    if (version.generation !== now.generation || version.id !== (now.cell?.id ?? '')) return false;
    // To have been ended by a tag is a change of the key, whatever tags the next entry has.
    const tags = new Set([...(write.tags ?? []), ...tagsOf([now.cell])]);
    return [...tags].every((tag) => isUntouched(tag, version, now));
  }

  async #look(namespace: string, keys: readonly string[]): Promise<View> {
    return (await this.#lookWith(namespace, keys, []))[0];
  }

  /** The cells of keys and of tags, and those of the namespace. @returns also the ids of the tags */
  async #lookWith(
    namespace: string,
    keys: readonly string[],
    tags: readonly string[],
  ): Promise<[View, Map<string, string>]> {
    const names = this.#names;
    const own = [names.generation(namespace), names.history(namespace)];
    const all = [...own, ...names.tags(namespace, tags), ...names.keys(namespace, keys)];
    const [generation, history, ...rest] = await this.#cells.look(all);
    const ids = new Map<string, string>();
    for (const [index, tag] of tags.entries()) if (rest[index] !== undefined) ids.set(tag, rest[index].id);
    return [{ generation: generation?.id, history: history?.id, cells: rest.slice(tags.length) }, ids];
  }

  /** Adds the ids of those tags that are not known yet. */
  async #learn(namespace: string, ids: Map<string, string>, tags: readonly string[]): Promise<void> {
    const unknown = [...new Set(tags)].filter((tag) => !ids.has(tag));
    const cells = await this.#cells.look(this.#names.tags(namespace, unknown));
    for (const [index, tag] of unknown.entries()) {
      const id = cells[index]?.id;
      if (id !== undefined) ids.set(tag, id);
    }
  }
}

/** Whether a tag was not invalidated since: if it was not looked at then, as long as no tag was. */
function isUntouched(tag: string, version: KeyvVersion, { history, tags }: Now): boolean {
  if (history === version.history) return true;
  const id = version.known.find(([known]) => known === tag)?.[1];
  return id !== undefined && id === tags.get(tag);
}

function cellOf({ bytes, ttl, tags = [] }: StoreWrite, now: Pick<Now, 'generation' | 'tags'>): KeyvCell {
  const expires = ttl >= LONGEST_TTL ? Infinity : Math.floor(Date.now() + ttl);
  const own = tags.map((tag): KeyvTag => [tag, now.tags.get(tag) ?? '']);
  return { generation: now.generation, id: randomId(), expires, bytes, tags: own };
}

/** For a cell that stays. */
function newMark(): KeyvCell {
  const id = randomId();
  return markOf(id, id);
}

function tagsOf(cells: Iterable<KeyvCell | undefined>): string[] {
  return [...cells].flatMap((cell) => cell?.tags.map(([tag]) => tag) ?? []);
}
