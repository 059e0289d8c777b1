import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TieredCache } from '../src/index.ts';
import { FakeBus } from './fake-bus.ts';
import { FakeStore } from './fake-store.ts';

type Action = {
  readonly process: 0 | 1;
  readonly do: 'load' | 'loadMany' | 'refresh' | 'get' | 'abort' | 'write' | 'writeThrough' | 'tag' | 'clear';
  readonly key: 'x' | 'y';
};

const action: fc.Arbitrary<Action> = fc.record({
  process: fc.constantFrom(0 as const, 1 as const),
  do: fc.constantFrom(
    'load' as const,
    'load',
    'loadMany',
    'refresh',
    'get',
    'abort',
    'write',
    'write',
    'writeThrough',
    'tag',
    'tag',
    'clear',
  ),
  key: fc.constantFrom('x' as const, 'y' as const),
});

type Kind = 'no store' | 'store' | 'store with leases';

/** A tag that only the loaded value tells, and one that is given beforehand; both are invalidated to have the key loaded anew. */
const told = (_value: number, key: string): string[] => [`told ${key}`];
const given = (key: string): string[] => [`given ${key}`];

/** The source of truth that loaders read: a number for each key that only grows. */
class Database {
  readonly #rows = new Map<string, number>();

  read(key: string): number {
    return this.#rows.get(key) ?? 0;
  }

  write(key: string): number {
    const next = this.read(key) + 1;
    this.#rows.set(key, next);
    return next;
  }
}

/** Every step of the store and of the loaders happens when the scheduler says. */
class World {
  readonly database = new Database();
  readonly store: FakeStore;
  readonly bus = new FakeBus();
  readonly caches: readonly [TieredCache<string, number>, TieredCache<string, number>];
  /** The number that every call made from now on must reach: its write is complete. */
  readonly #complete = new Map<string, number>();
  /** Answers that were older than what was complete when they were asked for. */
  readonly outdated: string[] = [];
  readonly #scheduler: fc.Scheduler;

  constructor(scheduler: fc.Scheduler, kind: Kind) {
    this.#scheduler = scheduler;
    this.store = new FakeStore(() => performance.now(), { leases: kind === 'store with leases' });
    this.store.before = (operation) => this.pause(`before ${operation}`);
    this.store.after = (operation) => this.pause(`after ${operation}`);
    const make = (): TieredCache<string, number> =>
      new TieredCache<string, number>({
        bus: this.bus,
        storeTimeout: Infinity,
        loadTimeout: Infinity,
        ...(kind !== 'no store' && { store: this.store }),
      });
    this.caches = [make(), make()];
  }

  pause(label: string): Promise<unknown> {
    return this.#scheduler.schedule(Promise.resolve(), label);
  }

  async load(key: string): Promise<number> {
    await this.pause('before the database');
    const value = this.database.read(key);
    await this.pause('after the database');
    return value;
  }

  /** Notes an answer that is older than it may be. */
  async #check(key: string, ask: () => Promise<number | undefined>): Promise<void> {
    const least = this.#complete.get(key) ?? 0;
    const answer = await ask();
    if (answer !== undefined && answer < least) this.outdated.push(`${key}: ${answer} after ${least}`);
  }

  async #change(keys: readonly string[], change: (value: number) => Promise<void>): Promise<void> {
    const values = keys.map((key) => this.database.write(key));
    await change(values[0] as number);
    for (const [index, key] of keys.entries()) {
      this.#complete.set(key, Math.max(this.#complete.get(key) ?? 0, values[index] as number));
    }
  }

  async run({ process, do: what, key }: Action): Promise<void> {
    const cache = this.caches[process];
    await this.pause(`${what} ${key} in ${process}`);
    switch (what) {
      case 'load':
        return this.#check(key, () => cache.getOrLoad(key, () => this.load(key), { tags: told }));
      case 'loadMany': {
        const loader = async (missing: readonly string[]): Promise<Map<string, number>> =>
          new Map(
            await Promise.all(missing.map(async (each): Promise<[string, number]> => [each, await this.load(each)])),
          );
        return this.#check(key, async () => (await cache.getOrLoadMany(['x', 'y'], loader, { tags: told })).get(key));
      }
      case 'refresh':
        return this.#check(key, () => cache.refresh(key, () => this.load(key), { tags: given(key) }));
      case 'get':
        return this.#check(key, () => cache.get(key));
      case 'abort': {
        const controller = new AbortController();
        const call = cache.getOrLoad(key, () => this.load(key), { tags: given(key), signal: controller.signal });
        const outcome = Promise.allSettled([call]);
        await this.pause('abort');
        controller.abort();
        return void (await outcome);
      }
      case 'write':
        // The order a user keeps: first the truth, then the cache.
        return this.#change([key], () => cache.delete(key));
      case 'writeThrough':
        return this.#change([key], (value) => cache.set(key, value, { tags: given(key) }));
      case 'tag':
        return this.#change([key], () => cache.invalidateTags([`told ${key}`, ...given(key)]));
      case 'clear':
        return this.#change(['x', 'y'], () => cache.clear());
      default:
        return what satisfies never;
    }
  }
}

describe('whatever the interleaving', () => {
  test.each<Kind>(['no store', 'store', 'store with leases'])(
    'a change is never undone by an older value, once it is complete (%s)',
    async (kind) => {
      const property = fc.asyncProperty(
        fc.scheduler(),
        fc.array(action, { minLength: 2, maxLength: 12, size: 'max' }),
        async (scheduler, actions) => {
          // Without a store each process is on its own, and only one of them hears of set values.
          const steps = kind !== 'no store' ? actions : actions.map((each): Action => ({ ...each, process: 0 }));
          const world = new World(scheduler, kind);
          const running = Promise.all(steps.map((each) => world.run(each)));
          await scheduler.waitFor(running);
          await scheduler.waitIdle();
          if (!hasRacingWriteThroughs(steps)) expect(world.outdated).toEqual([]);
          for (const cache of world.caches) {
            expect(cache.stats()).toMatchObject({ inFlight: 0, storeFailures: 0, loadFailures: 0 });
            for (const key of ['x', 'y']) {
              const read = cache.getMany([key]);
              await scheduler.waitFor(read);
              const value = (await read).get(key);
              if (value !== undefined && !hasRacingWriteThroughs(steps)) expect(value).toBe(world.database.read(key));
            }
          }
        },
      );
      await fc.assert(property, { seed: 20_261_123, numRuns: 400 });
    },
  );
});

/** Two processes that write at the same time agree on a value in the end, but which one is theirs to order. */
function hasRacingWriteThroughs(actions: readonly Action[]): boolean {
  const writes = actions.filter((each) => ['write', 'writeThrough', 'tag', 'clear'].includes(each.do));
  const isShared = new Set(writes.map((each) => each.process)).size > 1;
  return isShared && writes.some((each) => each.do === 'writeThrough');
}
