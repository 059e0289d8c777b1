import { type EntryOptions, LoadManyError } from '../../src/index.ts';
import type { HistoryChecker, Invalidation } from './history-checker.ts';
import type { StressProcess } from './process.ts';
import type { Random } from './random.ts';
import { InjectedFailure, type LoadKind, type Row, type Source, pause, turn } from './source.ts';

/** What all workers share. */
export interface World {
  readonly checker: HistoryChecker;
  readonly source: Source;
  readonly processes: readonly StressProcess[];
  /** Keys with a `set` under way. Nobody writes their source: of two values set at a time, the store cannot tell which is the older. */
  readonly setting: Set<number>;
  /** For each process: the keys of changes that failed, to be made again. */
  readonly unacknowledged: readonly Set<number>[];
  /** Milliseconds. */
  readonly freshFor: number;
  /** Milliseconds a value may have when it is served. */
  readonly oldest: number;
}

type Step =
  | 'burst'
  | 'load'
  | 'loadMany'
  | 'get'
  | 'getMany'
  | 'abort'
  | 'delete'
  | 'deleteMany'
  | 'set'
  | 'tags'
  | 'clear'
  | 'mark';

const STEPS: readonly (readonly [number, Step])[] = [
  [5, 'burst'],
  [24, 'load'],
  [6, 'loadMany'],
  [12, 'get'],
  [4, 'getMany'],
  [10, 'abort'],
  [10, 'delete'],
  [3, 'deleteMany'],
  [6, 'set'],
  [1, 'tags'],
  [0.1, 'clear'],
  [6, 'mark'],
];

const KINDS: readonly (readonly [number, LoadKind])[] = [
  [30, 'at once'],
  [40, 'slow'],
  [8, 'fails'],
  [8, 'fails late'],
  [4, 'throws'],
  [0.5, 'hangs'],
];

/** A failure is not remembered: it is given to the calls of its time only. */
const FAILURE_LASTS = 2_000;
const TAGS = 12;

/** Each key has one of a few tags. */
export const tagOf = (key: number): string => `t${key % TAGS}`;

/** A caller of one process's cache, doing one thing after the other. */
export class Worker {
  readonly #world: World;
  readonly #process: StressProcess;
  readonly #random: Random;
  /** What it is doing. */
  current: string | undefined;

  constructor(world: World, { process, random }: { readonly process: StressProcess; readonly random: Random }) {
    this.#world = world;
    this.#process = process;
    this.#random = random;
  }

  /** Does one thing. Never rejects: what should not be is a violation. @returns how many operations that was */
  async step(): Promise<number> {
    const step = this.#random.weighted(STEPS);
    this.current = `${step} in ${this.#process.index}`;
    try {
      return await this.#step(step);
    } catch (error) {
      this.#violate(`${step} came to ${describe(error)}`);
      return 1;
    } finally {
      this.current = undefined;
    }
  }

  #step(step: Step): Promise<number> {
    switch (step) {
      case 'burst':
        return this.#burst();
      case 'load':
        return this.#load();
      case 'loadMany':
        return this.#loadMany();
      case 'get':
        return this.#get();
      case 'getMany':
        return this.#getMany();
      case 'abort':
        return this.#abort();
      case 'delete':
        return this.#change('delete', [this.#key()], ([key], options) => this.#cache.delete(name(key!), options));
      case 'deleteMany':
        return this.#change('deleteMany', this.#keys(5), (keys, options) =>
          this.#cache.deleteMany(keys.map(name), options),
        );
      case 'set':
        return this.#set();
      case 'tags':
        return this.#invalidateTag();
      case 'clear':
        return this.#change('clear', allKeys(this.#world.checker.keys), (_, options) => this.#cache.clear(options));
      case 'mark':
        return this.#mark();
      default:
        return step satisfies never;
    }
  }

  get #cache(): StressProcess['cache'] {
    return this.#process.cache;
  }

  /** Mostly hits in memory. */
  async #burst(): Promise<number> {
    const count = 32 + this.#random.below(96);
    for (let call = 0; call < count; call++) {
      const key = this.#key();
      await this.#read(key, () =>
        this.#cache.getOrLoad(name(key), () => this.#world.source.load(key), this.#tags(key)),
      );
    }
    await turn();
    return count;
  }

  async #load(): Promise<number> {
    const key = this.#key();
    const kind = this.#random.weighted(KINDS);
    const failure: { error?: unknown } = {};
    const loader = async (): Promise<Row> => {
      try {
        return await this.#world.source.load(key, kind);
      } catch (error) {
        failure.error = error;
        throw error;
      }
    };
    const row = await this.#read(key, () => this.#cache.getOrLoad(name(key), loader, this.#tags(key)));
    // A stale value may be served although its refresh fails; a caller that waited for its own loader must hear of it.
    if (failure.error !== undefined && row !== undefined && performance.now() - row.at < this.#world.freshFor) {
      this.#violate(`the failure of a load of key ${key} did not reach its caller`, key);
    }
    return 1;
  }

  async #loadMany(): Promise<number> {
    const keys = this.#keys(8);
    const { checker, source } = this.#world;
    const reads = keys.map((key) => checker.startRead(this.#process.index, key));
    const fails = this.#random.chance(0.1);
    const start = performance.now();
    const loader = async (missing: readonly string[]): Promise<Map<string, Row>> => {
      const rows = missing.map(async (each): Promise<[string, Row]> => [each, await source.load(keyOf(each), 'slow')]);
      const loaded = new Map(await Promise.all(rows));
      if (fails) throw new InjectedFailure(-1);
      return loaded;
    };
    const tags = (row: Row): string[] => [tagOf(row.key)];
    let rows: ReadonlyMap<string, Row> = new Map();
    let errors: ReadonlyMap<string, unknown> = new Map();
    try {
      rows = await this.#cache.getOrLoadMany(keys.map(name), loader, { tags });
    } catch (error) {
      if (error instanceof LoadManyError) ({ values: rows, errors } = error as LoadManyError<string, Row>);
      else errors = new Map(keys.map((key) => [name(key), error]));
    }
    for (const [key, error] of errors) this.#checkFailure(error, { keys: [keyOf(key)], start });
    if (rows.size + errors.size !== keys.length) this.#violate(`${keys.length} keys came to ${rows.size} values`);
    for (const read of reads) {
      if (errors.has(name(read.key))) continue;
      const row = rows.get(name(read.key));
      checker.endRead(read, row?.version, 'getOrLoadMany');
      this.#checkRow(read.key, row, start);
    }
    return keys.length;
  }

  async #get(): Promise<number> {
    const key = this.#key();
    await this.#read(key, () => this.#cache.get(name(key)), 'get');
    return 1;
  }

  async #getMany(): Promise<number> {
    const keys = this.#keys(8);
    const { checker } = this.#world;
    const start = performance.now();
    const reads = keys.map((key) => checker.startRead(this.#process.index, key));
    const rows = await this.#cache.getMany(keys.map(name));
    for (const read of reads) {
      const row = rows.get(name(read.key));
      checker.endRead(read, row?.version, 'getMany');
      this.#checkRow(read.key, row, start);
    }
    return keys.length;
  }

  /** A caller that leaves: at once, and with its own reason. */
  async #abort(): Promise<number> {
    const key = this.#key();
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('the caller left');
    const early = this.#random.chance(0.1);
    if (early) controller.abort(reason);
    const start = performance.now();
    const read = this.#world.checker.startRead(this.#process.index, key);
    let settled = false;
    const call = this.#random.chance(0.3)
      ? this.#cache.get(name(key), { signal })
      : this.#cache.getOrLoad(name(key), () => this.#world.source.load(key, 'slow'), { ...this.#tags(key), signal });
    const outcome = call
      .then(
        (row) => ({ row }),
        (error: unknown) => ({ error }),
      )
      .finally(() => (settled = true));
    if (this.#random.chance(0.7)) await pause(this.#random.below(6));
    const wasSettled = settled;
    if (!early) controller.abort(reason);
    await turn();
    await turn();
    if (!settled) this.#violate(`a caller that left key ${key} still waits`, key);
    const result = await outcome;
    if ('row' in result) {
      this.#world.checker.endRead(read, result.row?.version, 'read with a signal');
      if (early) this.#violate('a call with an aborted signal was carried out', key);
    } else if (result.error !== reason) this.#checkFailure(result.error, { keys: [key], start });
    else if (wasSettled && !early) this.#violate(`key ${key} rejected with the reason of an abort to come`, key);
    return 1;
  }

  /** The order a user keeps: first the truth, then the cache. */
  async #change(
    what: string,
    among: readonly number[],
    change: (keys: readonly number[], options: { signal?: AbortSignal }) => Promise<void>,
  ): Promise<number> {
    const { checker, setting } = this.#world;
    const keys = among.filter((key) => !setting.has(key));
    if (keys.length === 0) return 1;
    for (const key of keys) checker.write(key);
    const leaving = this.#random.chance(0.05) ? new AbortController() : undefined;
    const invalidation = checker.invalidate(this.#process.index, what, keys);
    const changing = change(keys, leaving === undefined ? {} : { signal: leaving.signal });
    if (leaving !== undefined) setImmediate(() => leaving.abort(new Error('the caller left')));
    await this.#settle(invalidation, changing);
    // Soon it counts for the others too.
    if (this.#random.chance(0.5)) await this.#mark();
    return 1;
  }

  async #settle(invalidation: Invalidation, changing: Promise<void>): Promise<boolean> {
    const { checker, unacknowledged } = this.#world;
    const { by, what, keys } = invalidation;
    try {
      await changing;
      checker.succeeded(invalidation);
      return true;
    } catch (error) {
      for (const key of keys) unacknowledged[by]!.add(key);
      const { code, message } = error as { code?: unknown; message: string };
      if (code === 'PERF_CACHE_STORE' || code === 'PERF_CACHE_BUS') checker.failed(invalidation, String(code));
      else if (message !== 'the caller left') this.#violate(`${what} came to ${describe(error)}`, keys[0]);
      return false;
    }
  }

  async #set(): Promise<number> {
    const { checker, source, setting } = this.#world;
    const key = this.#key();
    if (setting.has(key) || checker.isDoubtful(key)) return 1;
    setting.add(key);
    checker.write(key);
    const invalidation = checker.invalidate(this.#process.index, 'set', [key]);
    const isDone = await this.#settle(invalidation, this.#cache.set(name(key), source.read(key), this.#tags(key)));
    if (!isDone) checker.doubt(key);
    setting.delete(key);
    return 1;
  }

  async #invalidateTag(): Promise<number> {
    const tag = this.#random.below(TAGS);
    const keys = allKeys(this.#world.checker.keys).filter((key) => key % TAGS === tag);
    return this.#change(`invalidate tag ${tag}`, keys, (_, options) =>
      this.#cache.invalidateTags([tagOf(tag)], options),
    );
  }

  async #mark(): Promise<number> {
    await this.#process.mark(this.#world.processes.filter((other) => other !== this.#process));
    return 1;
  }

  /** One read, with what may become of it. */
  async #read(key: number, call: () => Promise<Row | undefined>, what?: string): Promise<Row | undefined> {
    const read = this.#world.checker.startRead(this.#process.index, key);
    const start = performance.now();
    try {
      const row = await call();
      this.#world.checker.endRead(read, row?.version, what);
      this.#checkRow(key, row, start);
      return row;
    } catch (error) {
      this.#checkFailure(error, { keys: [key], start });
      return undefined;
    }
  }

  #checkRow(key: number, row: Row | undefined, start: number): void {
    if (row === undefined) return;
    if (row.key !== key) this.#violate(`key ${key} was given the value of ${row.key}`, key);
    const age = start - row.at;
    if (age > this.#world.oldest) this.#violate(`key ${key} was given a value ${age} ms old`, key);
  }

  /** A load may fail for reasons of its own time, and no others. */
  #checkFailure(error: unknown, { keys, start }: { readonly keys: readonly number[]; readonly start: number }): void {
    if ((error as { code?: unknown }).code === 'PERF_CACHE_LOAD_TIMEOUT') return;
    if (error instanceof InjectedFailure && (error.key === -1 || keys.includes(error.key))) {
      if (error.at < start - FAILURE_LASTS) this.#violate(`key ${keys[0]} was given a failure of the past`, keys[0]);
      return;
    }
    this.#violate(`key ${keys[0]} came to ${describe(error)}`, keys[0]);
  }

  /** Each key has one of a few tags. */
  #tags(key: number): EntryOptions {
    return { tags: [tagOf(key)] };
  }

  /** Half of the calls go to a tenth of the keys. */
  #key(): number {
    const { keys } = this.#world.checker;
    return this.#random.below(this.#random.chance(0.5) ? keys / 10 : keys);
  }

  #keys(most: number): number[] {
    return [...new Set(Array.from({ length: 1 + this.#random.below(most) }, () => this.#key()))];
  }

  #violate(text: string, key?: number): void {
    this.#world.checker.violate(`process ${this.#process.index}: ${text}`, key);
  }
}

const name = (key: number): string => `k${key}`;

const keyOf = (text: string): number => Number(text.slice(1));
const allKeys = (count: number): number[] => Array.from({ length: count }, (_, key) => key);

function describe(error: unknown): string {
  return error instanceof Error ? `${error.stack} ${String((error as { code?: unknown }).code)}` : String(error);
}
