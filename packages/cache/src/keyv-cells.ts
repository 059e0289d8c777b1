import { type KeyvAdapter, type KeyvChange, readAll, writeAll } from './keyv-adapter.ts';
import { type KeyvCell, markOf, packCell, randomId, unpackCell } from './keyv-cell.ts';
import { MutationQueue } from './mutation-queue.ts';
import { toWellFormed } from './well-formed-text.ts';

/** What all stores over one adapter object share: changes take turns, whichever store makes them. */
export interface Turns {
  readonly queue: MutationQueue;
  /** Cells of namespaces that are being made, by name. */
  readonly beginnings: Map<string, Promise<string>>;
}

const TURNS = new WeakMap<KeyvAdapter, Turns>();

export function turnsOf(adapter: KeyvAdapter): Turns {
  const turns = TURNS.get(adapter) ?? { queue: new MutationQueue(), beginnings: new Map() };
  TURNS.set(adapter, turns);
  return turns;
}

/** What an adapter holds, as cells with names. */
export class KeyvCells {
  readonly #adapter: KeyvAdapter;
  readonly #fenceFor: number;
  readonly #turns: Turns;

  constructor(adapter: KeyvAdapter, fenceFor: number) {
    this.#adapter = adapter;
    this.#fenceFor = fenceFor;
    this.#turns = turnsOf(adapter);
  }

  /** What is there, in the order of the names. */
  async look(names: readonly string[]): Promise<readonly (KeyvCell | undefined)[]> {
    if (names.length === 0) return [];
    const values = await readAll(this.#adapter, names);
    return names.map((name, index) => unpackCell(name, values[index]));
  }

  async put(names: readonly string[], cells: readonly KeyvCell[]): Promise<void> {
    const now = Date.now();
    const changes = cells.map((cell, index): KeyvChange => {
      const name = names[index] as string;
      return { key: name, value: packCell(name, cell), ttl: this.#ttlOf(cell, now) };
    });
    await writeAll(this.#adapter, changes);
  }

  /** The cell's id; a new one when it is not there, be it that the adapter has lost it. Takes no turn: whoever has one may be the one to ask. */
  begin(name: string): Promise<string> {
    const { beginnings } = this.#turns;
    const beginning = beginnings.get(name) ?? this.#make(name).finally(() => beginnings.delete(name));
    beginnings.set(name, beginning);
    return beginning;
  }

  async #make(name: string): Promise<string> {
    const [found] = await this.look([name]);
    if (found !== undefined) return found.id;
    const id = randomId();
    await this.put([name], [markOf(id, id)]);
    const [made] = await this.look([name]);
    if (made === undefined) throw notKept();
    return made.id;
  }

  #ttlOf({ generation, expires, bytes }: KeyvCell, now: number): number {
    // The mark of a deletion has no generation.
    if (bytes === undefined) return generation === '' ? this.#fenceFor : Infinity;
    // Kept a while after its value has ended: it tells that there was a change.
    return Math.max(expires - now, this.#fenceFor);
  }
}

/** Names of cells. No two cells have the same one: a namespace has neither a colon nor nothing in it here. */
export class KeyvNames {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Of the cell that changes with each `clear`. */
  generation(namespace: string): string {
    return `${this.#prefix}:${segment(namespace)}`;
  }

  /** Of the cell that changes with each invalidation of tags. */
  history(namespace: string): string {
    return `${this.#prefix}::${segment(namespace)}`;
  }

  keys(namespace: string, keys: readonly string[]): string[] {
    const start = `${this.#prefix}:${segment(namespace)}:`;
    return keys.map((key) => start + toWellFormed(key));
  }

  tags(namespace: string, tags: readonly string[]): string[] {
    const start = `${this.#prefix}::${segment(namespace)}:`;
    return tags.map((tag) => start + toWellFormed(tag));
  }
}

function segment(namespace: string): string {
  if (namespace === '') return '%';
  return toWellFormed(namespace).replaceAll(/[%:]/g, (sign) => (sign === '%' ? '%25' : '%3A'));
}

/**
 * Adapters may report errors as events, and resolve as if all was well: so whatever is changed is read again. It must be there, or something newer.
 */
export function confirm(cells: {
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

export function notKept(): Error {
  return new Error('the Keyv adapter did not keep what was written; it may have reported why with an `error` event');
}
