import { ManualClock } from '@perf/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryCache, type RemovalReason } from '../src/index.ts';

type Step =
  | { readonly do: 'set'; readonly key: number; readonly ttl: number | undefined; readonly weight: number }
  | { readonly do: 'get' | 'peek' | 'has' | 'delete'; readonly key: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'resize'; readonly to: number }
  | { readonly do: 'clear' | 'purge' | 'iterate' };

const key = fc.integer({ min: 0, max: 60 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      key,
      ttl: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
      weight: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 90, max: 110 })),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom('get' as const, 'peek' as const, 'has' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), to: fc.integer({ min: 1, max: 50 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('clear' as const, 'purge' as const, 'iterate' as const) }) },
);

interface Entry {
  readonly value: object;
  readonly until: number;
  readonly weight: number;
}

/** What a cache without limits would hold, and every value it was ever given. */
class Model {
  readonly entries = new Map<number, Entry>();
  readonly given: object[] = [];
  readonly until = new Map<object, number>();
  readonly gone = new Map<object, RemovalReason>();
}

describe.each(['adaptive', 'lru'] as const)('a MemoryCache that evicts %s', (eviction) => {
  test.each([{ maxWeight: 100 }, { maxWeight: Infinity }])(
    'agrees with a Map within its limits ($maxWeight)',
    ({ maxWeight }) => {
      fc.assert(
        fc.property(
          fc.array(step, { minLength: 1, maxLength: 250, size: 'max' }),
          fc.integer({ min: 1, max: 50 }),
          (steps, maxSize) => {
            const clock = new ManualClock();
            const model = new Model();
            let limit = maxSize;
            const cache = new MemoryCache<number, object>({
              maxSize,
              ...(maxWeight < Infinity && { maxWeight }),
              eviction,
              clock,
              ttl: 50,
              onRemove: (_key, value, reason) => {
                expect(cache.size).toBeLessThanOrEqual(limit);
                expect(cache.weight).toBeLessThanOrEqual(maxWeight);
                expect(model.gone.has(value)).toBe(false);
                model.gone.set(value, reason);
                if (reason === 'expire') expect(model.until.get(value)).toBeLessThanOrEqual(clock.now());
              },
            });
            for (const each of steps) {
              if (each.do === 'resize') limit = each.to;
              run(each, { cache, model, clock });
              check({ cache, model, clock, limit, maxWeight });
            }
          },
        ),
        { seed: 20_261_123, numRuns: 300 },
      );
    },
  );
});

interface World {
  readonly cache: MemoryCache<number, object>;
  readonly model: Model;
  readonly clock: ManualClock;
}

function run(each: Step, { cache, model, clock }: World): void {
  switch (each.do) {
    case 'set': {
      const value = { key: each.key };
      model.given.push(value);
      model.until.set(value, clock.now() + (each.ttl ?? 50));
      model.entries.set(each.key, { value, until: clock.now() + (each.ttl ?? 50), weight: each.weight });
      cache.set(each.key, value, { weight: each.weight, ...(each.ttl !== undefined && { ttl: each.ttl }) });
      // A value that was just set is there, unless it is too heavy.
      expect(cache.peek(each.key)).toBe(each.weight <= cache.stats().maxWeight ? value : undefined);
      return;
    }
    case 'get':
    case 'peek':
    case 'has': {
      const expected = model.entries.get(each.key);
      const had = cache.has(each.key);
      const value = each.do === 'has' ? cache.peek(each.key) : cache[each.do](each.key);
      expect(value !== undefined).toBe(had);
      if (!had) return;
      expect(value).toBe(expected?.value);
      expect(expected?.until).toBeGreaterThan(clock.now());
      return;
    }
    case 'delete':
      expect(cache.delete(each.key)).toBe(
        !cache.has(each.key) && model.entries.has(each.key) && goneBy(model, each.key, 'delete'),
      );
      model.entries.delete(each.key);
      return;
    case 'wait':
      clock.advance(each.ms);
      return;
    case 'resize':
      cache.resize(each.to);
      return;
    case 'clear':
      cache.clear();
      model.entries.clear();
      expect([cache.size, cache.weight]).toEqual([0, 0]);
      return;
    case 'purge':
      cache.purgeExpired();
      expect(cache.size).toBe([...cache].length);
      return;
    case 'iterate':
      for (const [visited, value] of cache) expect(value).toBe(model.entries.get(visited)?.value);
      return;
    default:
      each satisfies never;
  }
}

function goneBy(model: Model, removedKey: number, reason: RemovalReason): boolean {
  const value = model.entries.get(removedKey)?.value;
  return value !== undefined && model.gone.get(value) === reason;
}

function check({
  cache,
  model,
  limit,
  maxWeight,
}: World & { readonly limit: number; readonly maxWeight: number }): void {
  const stats = cache.stats();
  expect(stats.listenerErrors).toBe(0);
  expect(stats.size).toBeLessThanOrEqual(limit);
  expect(stats.weight).toBeLessThanOrEqual(maxWeight);
  const { removals } = stats;
  expect(removals.set + removals.evict + removals.expire + removals.delete + removals.clear).toBe(model.gone.size);
  // Every value that was given is either here or has left, once.
  expect(model.gone.size + stats.size).toBe(model.given.length);
  const weight = [...model.entries.values()]
    .filter(({ value }) => !model.gone.has(value))
    .reduce((sum, entry) => sum + entry.weight, 0);
  expect(stats.weight).toBe(weight);
}
