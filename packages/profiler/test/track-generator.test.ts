import { types } from 'node:util';
import { ManualClock } from '@perf/testkit';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Profiler } from '../src/index.ts';

let clock: ManualClock;
let profiler: Profiler;

beforeEach(() => {
  clock = new ManualClock();
  profiler = new Profiler({ clock });
});

describe('a generator function', () => {
  function countTo(): (n: number) => Generator<number, string, string | undefined> {
    return profiler.wrap(
      function* count(n: number): Generator<number, string, string | undefined> {
        for (let i = 1; i <= n; i++) {
          clock.advance(2);
          yield i;
        }
        return 'done';
      },
      { name: 'count' },
    );
  }

  test('is timed by its steps; suspended, it costs its consumer nothing', () => {
    profiler.measure('consumer', () => {
      for (const n of countTo()(3)) {
        expect(n).toBeGreaterThan(0);
        clock.advance(100);
      }
    });
    expect(profiler.report('count')).toMatchObject({ calls: 1, timed: 1, total: 6, self: 6, mean: 6 });
    expect(profiler.report('consumer')).toMatchObject({ total: 306, self: 300 });
  });

  test('is timed for its default parameters too', () => {
    const ready = profiler.wrap(
      function* (at = clock.advance(3)) {
        yield at;
      },
      { name: 'ready' },
    );
    expect([...ready()]).toEqual([undefined]);
    expect(profiler.report('ready')).toMatchObject({ timed: 1, mean: 3, total: 3 });
  });

  test('returns a real generator', () => {
    const generator = countTo()(1);
    expect(types.isGeneratorObject(generator)).toBe(true);
    expect(generator[Symbol.iterator]()).toBe(generator);
    expect(Object.keys(generator)).toEqual([]);
    expect(generator.next()).toEqual({ value: 1, done: false });
    expect(generator.next()).toEqual({ value: 'done', done: true });
    expect(generator.next()).toEqual({ value: undefined, done: true });
    expect(profiler.report('count')).toMatchObject({ calls: 1, timed: 1 });
  });

  test('takes what it is sent, and delegates', () => {
    const echo = profiler.wrap(
      function* (): Generator<string, void, string> {
        const got = yield 'ready';
        yield `got ${got}`;
      },
      { name: 'echo' },
    );
    const outer = (function* (): Generator<string, void, string> {
      yield* echo();
    })();
    expect([outer.next('x').value, outer.next('hello').value, outer.next('x').done]).toEqual([
      'ready',
      'got hello',
      true,
    ]);
  });

  test('runs its finally when the consumer breaks, and counts as finished', () => {
    let cleaned = false;
    const endless = profiler.wrap(
      function* () {
        try {
          for (;;) yield clock.advance(1);
        } finally {
          cleaned = true;
        }
      },
      { name: 'endless' },
    );
    for (const each of endless()) {
      expect(each).toBeUndefined();
      break;
    }
    expect(cleaned).toBe(true);
    expect(profiler.report('endless')).toMatchObject({ calls: 1, errors: 0, timed: 1, total: 1 });
  });

  test('that throws is an error', () => {
    const reason = new Error('inside');
    const failing = profiler.wrap(
      function* () {
        yield 1;
        throw reason;
      },
      { name: 'failing' },
    );
    expect(() => [...failing()]).toThrow(reason);
    expect(profiler.report('failing')).toMatchObject({ calls: 1, errors: 1, timed: 1 });
  });

  test('that walks a tree by itself is timed once', () => {
    const walk: (depth: number) => Generator<number> = profiler.wrap(
      function* (depth: number): Generator<number> {
        clock.advance(1);
        yield depth;
        if (depth > 0) yield* walk(depth - 1);
      },
      { name: 'walk' },
    );
    expect([...walk(3)]).toEqual([3, 2, 1, 0]);
    expect(profiler.report('walk')).toMatchObject({ calls: 4, timed: 1, total: 4, self: 4 });
  });

  test('that asks itself for its next value fails as ever, and goes on', () => {
    let self: Generator<unknown> | undefined;
    const selfish = profiler.wrap(
      function* () {
        yield (() => {
          try {
            return self?.next();
          } catch (error) {
            return (error as Error).name;
          }
        })();
        yield 'still here';
      },
      { name: 'selfish' },
    );
    self = selfish();
    expect([...self]).toEqual(['TypeError', 'still here']);
    expect(profiler.report('selfish')).toMatchObject({ calls: 1, errors: 0, timed: 1 });
  });

  test('that is abandoned keeps the time it took', () => {
    countTo()(3).next();
    expect(profiler.report('count')).toMatchObject({ calls: 1, timed: 0, total: 2 });
  });
});

test('a generator is timed whole or not at all', () => {
  const draws = [0.1, 0.9];
  vi.spyOn(Math, 'random').mockImplementation(() => draws.shift()!);
  profiler = new Profiler({ clock, sampleRate: 0.5 });
  const steps = profiler.wrap(
    function* () {
      for (let i = 0; i < 3; i++) yield clock.advance(1);
    },
    { name: 'steps' },
  );
  for (let i = 0; i < 2; i++) expect([...steps()]).toHaveLength(3);
  vi.restoreAllMocks();
  expect(draws).toEqual([]);
  expect(profiler.report('steps')).toMatchObject({ calls: 2, timed: 1, mean: 3, total: 6 });
});

describe('an async generator function', () => {
  test('is timed while a value is waited for', async () => {
    const rows = profiler.wrap(
      async function* () {
        for (const row of ['a', 'b']) {
          await Promise.resolve();
          clock.advance(5);
          yield row;
        }
      },
      { name: 'rows' },
    );
    const seen: string[] = [];
    await profiler.measure('consumer', async () => {
      for await (const row of rows()) {
        seen.push(row);
        clock.advance(50);
      }
    });
    expect(seen).toEqual(['a', 'b']);
    expect(profiler.report('rows')).toMatchObject({ calls: 1, timed: 1, total: 10, self: 10 });
    expect(profiler.report('consumer')).toMatchObject({ total: 110, self: 100 });
  });

  test('runs its finally when the consumer breaks', async () => {
    let cleaned = false;
    const ticks = profiler.wrap(
      async function* () {
        try {
          for (;;) yield await Promise.resolve(1);
        } finally {
          cleaned = true;
        }
      },
      { name: 'ticks' },
    );
    for await (const tick of ticks()) {
      expect(tick).toBe(1);
      break;
    }
    expect(cleaned).toBe(true);
    expect(profiler.report('ticks')).toMatchObject({ timed: 1, errors: 0 });
  });

  test('that rejects rejects with the same reason, once', async () => {
    const reason = new Error('inside');
    const failing = profiler.wrap(
      async function* () {
        yield 1;
        throw reason;
      },
      { name: 'failing' },
    );
    const generator = failing();
    await generator.next();
    await expect(generator.next()).rejects.toBe(reason);
    expect(await generator.next()).toEqual({ value: undefined, done: true });
    expect(profiler.report('failing')).toMatchObject({ calls: 1, errors: 1, timed: 1 });
  });

  test('answers requests made at once in their order', async () => {
    const numbers = profiler.wrap(
      async function* () {
        for (let i = 0; i < 3; i++) yield i;
      },
      { name: 'numbers' },
    );
    const generator = numbers();
    const results = await Promise.all([generator.next(), generator.next(), generator.next(), generator.next()]);
    expect(results.map(({ value }) => value)).toEqual([0, 1, 2, undefined]);
    expect(profiler.report('numbers')).toMatchObject({ calls: 1, timed: 1 });
  });
});
