import { AsyncLocalStorage } from 'node:async_hooks';
import { isPerfError } from '@perf/core';
import { ManualClock } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Profiler } from '../src/index.ts';

let clock: ManualClock;
let profiler: Profiler;

beforeEach(() => {
  clock = new ManualClock();
  profiler = new Profiler({ clock });
});

/** Promises settled by hand, to decide what overlaps. */
function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('a synchronous function', () => {
  test('is counted and timed', () => {
    const work = profiler.wrap(function work(ms: number) {
      clock.advance(ms);
      return ms * 2;
    });
    expect([10, 20, 30].map((ms) => work(ms))).toEqual([20, 40, 60]);
    expect(profiler.report('work')).toMatchObject({
      calls: 3,
      errors: 0,
      timed: 3,
      total: 60,
      self: 60,
      mean: 20,
      min: 10,
      max: 30,
      cpu: undefined,
      batches: [10, 20, 30],
    });
    expect(profiler.report('work')?.p50).toBeCloseTo(20, 0);
  });

  test('leaves the time of what it calls out of its self time', () => {
    const inner = profiler.wrap(() => clock.advance(7), { name: 'inner' });
    const outer = profiler.wrap(
      () => {
        clock.advance(1);
        inner();
        inner();
        clock.advance(2);
      },
      { name: 'outer' },
    );
    outer();
    expect(profiler.report('outer')).toMatchObject({ total: 17, self: 3 });
    expect(profiler.report('inner')).toMatchObject({ total: 14, self: 14, calls: 2 });
    expect(profiler.summary().map(({ name }) => name)).toEqual(['outer', 'inner']);
  });

  test('that calls itself is counted each time and timed once', () => {
    const fib: (n: number) => number = profiler.wrap(
      (n: number) => {
        clock.advance(1);
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
      },
      { name: 'fib' },
    );
    expect(fib(10)).toBe(55);
    expect(profiler.report('fib')).toMatchObject({ calls: 177, timed: 1, total: 177, self: 177 });
  });

  test.each([undefined, null, 'text', Object.freeze(new Error('frozen')), new Proxy(new Error('proxied'), {})])(
    'that throws %s throws the same, and is counted and timed once',
    (reason) => {
      const fail = profiler.wrap(
        () => {
          clock.advance(3);
          throw reason;
        },
        { name: 'fail' },
      );
      let caught: unknown = 'nothing';
      try {
        fail();
      } catch (error) {
        caught = error;
      }
      expect(caught).toBe(reason);
      expect(profiler.report('fail')).toMatchObject({ calls: 1, errors: 1, timed: 1, total: 3 });
    },
  );
});

describe('an asynchronous function', () => {
  test('is timed until its promise settles', async () => {
    const { promise, open } = gate();
    async function load(): Promise<string> {
      await promise;
      return 'loaded';
    }
    const wrapped = profiler.wrap(load);
    const loaded = wrapped();
    clock.advance(50);
    expect(profiler.report('load')).toMatchObject({ calls: 1, timed: 0, mean: NaN, p99: NaN, batches: [] });
    open();
    expect(await loaded).toBe('loaded');
    expect(profiler.report('load')).toMatchObject({ timed: 1, total: 50 });
  });

  test('that waits for two at once has them subtracted from its self time once', async () => {
    const [first, second] = [gate(), gate()];
    const child = profiler.wrap((which: Promise<void>) => which.then(() => undefined), { name: 'child' });
    const parent = profiler.measure('parent', async () => {
      clock.advance(1);
      await Promise.all([child(first.promise), child(second.promise)]);
      clock.advance(2);
    });
    clock.advance(10);
    first.open();
    await settled();
    clock.advance(10);
    second.open();
    await parent;
    expect(profiler.report('child')).toMatchObject({ calls: 2, timed: 2, total: 30, self: 30 });
    expect(profiler.report('parent')).toMatchObject({ total: 23, self: 3 });
  });

  test('that runs twice at once is no recursion: both calls are timed', async () => {
    const gates = [gate(), gate()];
    const load = profiler.wrap((i: number) => gates[i]!.promise, { name: 'load' });
    const [a, b] = [load(0), load(1)];
    clock.advance(5);
    gates[1]!.open();
    await b;
    clock.advance(5);
    gates[0]!.open();
    await a;
    expect(profiler.report('load')).toMatchObject({ calls: 2, timed: 2, min: 5, max: 10, total: 15 });
  });

  test('that calls itself after an await is timed once', async () => {
    const count: (n: number) => Promise<number> = profiler.wrap(
      async (n: number): Promise<number> => {
        clock.advance(1);
        await Promise.resolve();
        return n === 0 ? 0 : 1 + (await count(n - 1));
      },
      { name: 'count' },
    );
    expect(await count(4)).toBe(4);
    expect(profiler.report('count')).toMatchObject({ calls: 5, timed: 1, total: 5, self: 5 });
  });

  test('that leaves work behind does not get it back: the work belongs to whoever is still open', async () => {
    const { promise, open } = gate();
    const background = profiler.wrap(() => promise, { name: 'background' });
    const starter = profiler.wrap(() => void background(), { name: 'starter' });
    const done = profiler.measure('request', async () => {
      starter();
      clock.advance(10);
      await promise;
      await settled();
      clock.advance(1);
    });
    open();
    await done;
    expect(profiler.report('starter')).toMatchObject({ total: 0, self: 0 });
    expect(profiler.report('request')).toMatchObject({ total: 11, self: 1 });
    expect(profiler.report('background')).toMatchObject({ total: 10 });
  });

  test('rejects with the same reason, counted once', async () => {
    const reason = new Error('no');
    const fail = profiler.wrap(async () => Promise.reject(reason), { name: 'fail' });
    await expect(fail()).rejects.toBe(reason);
    expect(profiler.report('fail')).toMatchObject({ calls: 1, errors: 1, timed: 1 });
  });

  test('that throws before there is a promise is counted once', () => {
    const fail = profiler.wrap(
      (): Promise<void> => {
        throw new Error('early');
      },
      { name: 'fail' },
    );
    expect(() => fail()).toThrow('early');
    expect(profiler.report('fail')).toMatchObject({ calls: 1, errors: 1, timed: 1 });
  });

  describe('and unhandled rejections', () => {
    const seen: unknown[] = [];
    const listener = (reason: unknown): void => void seen.push(reason);
    let before: NodeJS.UnhandledRejectionListener[] = [];
    beforeEach(() => {
      seen.length = 0;
      before = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection');
      process.on('unhandledRejection', listener);
    });
    afterEach(() => {
      process.removeAllListeners('unhandledRejection');
      for (const each of before) process.on('unhandledRejection', each);
    });
    const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

    test('one that nobody handles is reported exactly once', async () => {
      const reason = new Error('nobody');
      void profiler.wrap(async () => Promise.reject(reason))();
      await turn();
      await turn();
      expect(seen).toEqual([reason]);
    });

    test('one that the caller handles is not reported', async () => {
      const caught = await profiler
        .wrap(async () => Promise.reject(new Error('handled')))()
        .catch((error: unknown) => error);
      await turn();
      await turn();
      expect(caught).toBeInstanceOf(Error);
      expect(seen).toEqual([]);
    });
  });

  test('keeps what a library has put on its promise', async () => {
    const cancel = vi.fn();
    const request = profiler.wrap(() => Object.assign(Promise.resolve(1), { cancel }), { name: 'request' });
    const promise = request();
    promise.cancel();
    expect(cancel).toHaveBeenCalledOnce();
    expect(await promise).toBe(1);
  });

  test('gets a promise of the same class', async () => {
    class Special extends Promise<number> {}
    const special = profiler.wrap(() => Special.resolve(1), { name: 'special' })();
    expect(special).toBeInstanceOf(Special);
    expect(await special).toBe(1);
  });

  test('whose promise cannot be followed still gets its promise', async () => {
    class Odd extends Promise<number> {
      static override get [Symbol.species](): PromiseConstructor {
        throw new Error('no species');
      }
    }
    const odd = new Odd((resolve) => resolve(1));
    expect(profiler.wrap(() => odd, { name: 'odd' })()).toBe(odd);
    expect(profiler.report('odd')).toMatchObject({ calls: 1, timed: 1, errors: 0 });
  });

  test('sees the asynchronous context of its caller, and so does its caller', async () => {
    const storage = new AsyncLocalStorage<string>();
    const read = profiler.wrap(async () => {
      await Promise.resolve();
      return storage.getStore();
    });
    expect(await storage.run('mine', read)).toBe('mine');
    expect(storage.getStore()).toBeUndefined();
  });
});

describe('a lazy thenable', () => {
  function query(): { readonly executions: () => number; then(resolve: (value: string) => void): void } {
    let executions = 0;
    return {
      executions: () => executions,
      then: (resolve) => {
        executions++;
        resolve('rows');
      },
    };
  }

  test('is returned as it is, and not started', () => {
    const lazy = query();
    expect(profiler.wrap(() => lazy, { name: 'query' })()).toBe(lazy);
    expect(lazy.executions()).toBe(0);
    expect(profiler.report('query')).toMatchObject({ calls: 1, timed: 1 });
  });

  test('runs once when it is awaited', async () => {
    const lazy = query();
    expect(await profiler.wrap(() => lazy)()).toBe('rows');
    expect(lazy.executions()).toBe(1);
  });

  test('whose `then` throws when it is read changes nothing', () => {
    const hostile = {
      get then(): never {
        throw new Error('hands off');
      },
    };
    expect(profiler.wrap(() => hostile)()).toBe(hostile);
  });
});

describe('what a wrapped function looks like', () => {
  test('name and length are those of the original, with their flags', () => {
    function original(a: number, b = 2, ...rest: number[]): number {
      return a + b + rest.length;
    }
    const wrapped = profiler.wrap(original);
    for (const key of ['name', 'length']) {
      expect(Object.getOwnPropertyDescriptor(wrapped, key)).toEqual(Object.getOwnPropertyDescriptor(original, key));
    }
    expect(wrapped(1)).toBe(3);
    expect(wrapped(1, undefined, 5)).toBe(4);
  });

  test('`this` and the number of arguments come through', () => {
    const probe = profiler.wrap(function (this: unknown) {
      return [this, arguments.length];
    }) as unknown as (...args: unknown[]) => unknown;
    const self = {};
    expect(Reflect.apply(probe, self, [])).toEqual([self, 0]);
    expect(Reflect.apply(probe, undefined, [undefined, undefined])).toEqual([undefined, 2]);
  });

  test('statics, symbols and the prototype are there', () => {
    const tag = Symbol('tag');
    const original = Object.assign(function original() {}, { version: 3, [tag]: true });
    const wrapped = profiler.wrap(original);
    expect(wrapped.version).toBe(3);
    expect(wrapped[tag]).toBe(true);
    expect(wrapped.prototype).toBe(original.prototype);
    const asynchronous = async (): Promise<void> => {};
    expect(Object.getPrototypeOf(profiler.wrap(asynchronous))).toBe(Object.getPrototypeOf(asynchronous));
  });

  test('a class can be constructed and extended', () => {
    class Base {
      static readonly kind: string = 'base';
      readonly made: string;
      readonly value: number;
      constructor(value: number) {
        clock.advance(2);
        this.made = new.target.name;
        this.value = value;
      }
    }
    const Wrapped = profiler.wrap(Base);
    class Sub extends Wrapped {}
    const [plain, sub] = [new Wrapped(1), new Sub(2)];
    expect(plain).toBeInstanceOf(Base);
    expect(plain).toBeInstanceOf(Wrapped);
    expect([plain.made, plain.value, sub.made, sub.value]).toEqual(['Base', 1, 'Sub', 2]);
    expect(sub).toBeInstanceOf(Sub);
    expect(sub).toBeInstanceOf(Wrapped);
    expect(Sub.kind).toBe('base');
    expect(profiler.report('Base')).toMatchObject({ calls: 2, total: 4 });
    expect(() => (Wrapped as unknown as () => void)()).toThrow(TypeError);
  });

  test('an arrow function is still no constructor', () => {
    const wrapped = profiler.wrap(() => 1) as unknown as new () => object;
    expect(wrapped.prototype).toBeUndefined();
    expect(() => new wrapped()).toThrow(TypeError);
  });

  test('a frozen function can be wrapped', () => {
    expect(profiler.wrap(Object.freeze(() => 'cold'))()).toBe('cold');
  });

  test('wrapping again changes nothing, unless under another name; unwrapping gives the original', () => {
    const original = (): number => 1;
    const once = profiler.wrap(original);
    expect(profiler.wrap(once)).toBe(once);
    const twice = profiler.wrap(once, { name: 'twice' });
    twice();
    expect(profiler.report('original')?.calls).toBe(1);
    expect(profiler.report('twice')?.calls).toBe(1);
    expect(profiler.unwrap(twice)).toBe(once);
    expect(profiler.unwrap(once)).toBe(original);
    expect(profiler.unwrap(original)).toBe(original);
  });

  test('a function without a name is (anonymous)', () => {
    class Odd {
      static readonly name = 7 as never;
      readonly made = true;
    }
    profiler.wrap(() => 1)();
    expect(new (profiler.wrap(Odd))()).toBeInstanceOf(Odd);
    expect(profiler.report('(anonymous)')?.calls).toBe(2);
  });
});

describe('measure', () => {
  test('returns what the function returns and rethrows what it throws', async () => {
    expect(profiler.measure('sync', () => 1)).toBe(1);
    expect(await profiler.measure('async', async () => 2)).toBe(2);
    expect(() =>
      profiler.measure('fails', () => {
        throw new RangeError('no');
      }),
    ).toThrow(RangeError);
    expect(profiler.report('fails')?.errors).toBe(1);
  });
});

describe('a span', () => {
  test('ends with its block and belongs to the call around it', () => {
    profiler.measure('outer', () => {
      clock.advance(1);
      {
        using span = profiler.span('part');
        expect(span).toBeDefined();
        clock.advance(4);
      }
      clock.advance(2);
    });
    expect(profiler.report('part')).toMatchObject({ calls: 1, total: 4, self: 4 });
    expect(profiler.report('outer')).toMatchObject({ total: 7, self: 3 });
  });

  test('ends once, as a failure if told so', () => {
    const span = profiler.span('part');
    clock.advance(1);
    span.end(true);
    clock.advance(1);
    span.end();
    span[Symbol.dispose]();
    expect(profiler.report('part')).toMatchObject({ calls: 1, errors: 1, total: 1 });
  });

  test('of which two run at once are both timed', () => {
    const [a, b] = [profiler.span('part'), profiler.span('part')];
    clock.advance(2);
    a.end();
    b.end();
    expect(profiler.report('part')).toMatchObject({ timed: 2, total: 4 });
  });
});

describe('sampling', () => {
  afterEach(() => void vi.restoreAllMocks());

  test('counts every call and error, times some, and scales totals up', async () => {
    profiler = new Profiler({ clock, sampleRate: 0.25 });
    const draws = [0.9, 0.1, 0.5, 0.9];
    vi.spyOn(Math, 'random').mockImplementation(() => draws.shift() ?? 1);
    const work = profiler.wrap(
      (fail: boolean) => {
        clock.advance(10);
        if (fail) throw new Error('no');
      },
      { name: 'work' },
    );
    work(false);
    work(false);
    expect(() => work(true)).toThrow('no');
    const late = profiler.wrap(async () => Promise.reject(new Error('late')), { name: 'late' });
    await expect(late()).rejects.toThrow('late');
    expect(profiler.report('work')).toMatchObject({ calls: 3, errors: 1, timed: 1, total: 40, self: 40, mean: 10 });
    expect(profiler.report('late')).toMatchObject({ calls: 1, errors: 1, timed: 0, total: 0 });
    expect(profiler.toText()).toContain('sampled: 25 %');
  });

  test('is decided once for a call and all inside it, so that self times stay right', () => {
    profiler = new Profiler({ clock, sampleRate: 0.5 });
    const draws = [0.1, 0.9];
    vi.spyOn(Math, 'random').mockImplementation(() => draws.shift()!);
    const inner = profiler.wrap(() => clock.advance(3), { name: 'inner' });
    const outer = profiler.wrap(() => inner(), { name: 'outer' });
    outer();
    outer();
    expect(draws).toEqual([]);
    expect(profiler.report('outer')).toMatchObject({ calls: 2, timed: 1, total: 6, self: 0 });
    expect(profiler.report('inner')).toMatchObject({ calls: 2, timed: 1, total: 6, self: 6 });
  });
});

describe('many names', () => {
  test('past the limit are one entry', () => {
    profiler = new Profiler({ clock, maxFunctions: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'a']) profiler.measure(name, () => clock.advance(1));
    expect(Object.fromEntries(profiler.summary().map(({ name, calls }) => [name, calls]))).toEqual({
      a: 2,
      b: 1,
      '(other)': 2,
    });
    expect(profiler.report('(other)')?.total).toBe(2);
    expect(profiler.report('c')).toBeUndefined();
  });
});

describe('cpu time', () => {
  test('covers the synchronous part of a call', async () => {
    profiler = new Profiler({ cpu: true });
    const burn = profiler.wrap(
      () => {
        const end = process.cpuUsage().user + 20_000;
        while (process.cpuUsage().user < end);
      },
      { name: 'burn' },
    );
    burn();
    await profiler.measure('wait', () => Promise.resolve().then(burn));
    expect(profiler.report('burn')?.cpu).toBeGreaterThan(0);
    expect(profiler.report('wait')?.cpu).toBeLessThan(profiler.report('burn')!.cpu!);
  });
});

describe('time', () => {
  afterEach(() => void vi.useRealTimers());

  test('is real under fake timers', () => {
    vi.useFakeTimers();
    profiler = new Profiler();
    profiler.measure('spin', () => {
      const end = process.cpuUsage().user + 5_000;
      while (process.cpuUsage().user < end);
    });
    expect(profiler.report('spin')?.total).toBeGreaterThan(0);
  });
});

describe('reset', () => {
  test('forgets, and calls running then are not counted', async () => {
    const { promise, open } = gate();
    const load = profiler.wrap(() => promise, { name: 'load' });
    const before = load();
    profiler.reset();
    expect(profiler.summary()).toEqual([]);
    expect(profiler.report('load')).toBeUndefined();
    const after = load();
    clock.advance(3);
    open();
    await Promise.all([before, after]);
    expect(profiler.report('load')).toMatchObject({ calls: 1, timed: 1, total: 3 });
  });

  test('makes room for new names', () => {
    profiler = new Profiler({ clock, maxFunctions: 1 });
    profiler.measure('a', () => 1);
    profiler.reset();
    profiler.measure('b', () => 1);
    expect(profiler.summary().map(({ name }) => name)).toEqual(['b']);
  });
});

describe('close', () => {
  test('ends the measuring, not the functions', async () => {
    const work = profiler.wrap(
      function work(this: unknown, n: number) {
        return [this, n];
      },
      { name: 'work' },
    );
    class Thing {
      readonly made = true;
    }
    const Wrapped = profiler.wrap(Thing);
    work(1);
    await profiler.close();
    await profiler.close();
    expect(profiler.closed).toBe(true);
    expect(work.call('self', 2)).toEqual(['self', 2]);
    expect(new Wrapped()).toBeInstanceOf(Thing);
    expect(profiler.measure('more', () => 3)).toBe(3);
    profiler.span('more').end();
    expect(profiler.report('work')?.calls).toBe(1);
    expect(profiler.summary()).toHaveLength(1);
  });

  test('refuses new wrappers', async () => {
    {
      await using closing = profiler;
      expect(closing.closed).toBe(false);
    }
    for (const act of [() => profiler.wrap(() => 1), () => profiler.profile()]) {
      expect(act).toThrow(expect.toSatisfy((error: unknown) => isPerfError(error, 'PERF_PROFILER_CLOSED')));
    }
  });
});

describe('bad input', () => {
  test.each([
    [{ sampleRate: 0 }, '`sampleRate` must be a number from'],
    [{ sampleRate: 1.5 }, '`sampleRate` must be a number from'],
    [{ maxFunctions: 0 }, '`maxFunctions` must be a positive integer, got 0'],
    [{ cpu: 'yes' }, '`cpu` must be a boolean, got "yes"'],
    [{ clock: {} }, '`clock` must be an object with a method `now`, got an object'],
    [{ name: '' }, '`name` must be a non-empty string'],
    [{ sampelRate: 1 }, 'Profiler has no option `sampelRate`'],
  ])('%o is refused', (options, message) => {
    expect(() => new Profiler(options as never)).toThrow(message);
  });

  test('of methods is refused', () => {
    expect(() => profiler.wrap(1 as never)).toThrow('`fn` must be a function');
    expect(() => profiler.wrap(() => 1, { nam: 'x' } as never)).toThrow('wrap has no option `nam`');
    expect(() => profiler.measure('', () => 1)).toThrow('`name`');
    expect(() => profiler.measure('x', 1 as never)).toThrow('`fn`');
    expect(() => profiler.span(undefined as never)).toThrow('`name`');
    expect(() => profiler.toText({ sort: 'size' as never })).toThrow('`sort` must be one of');
    expect(() => profiler.toText({ limit: 0 })).toThrow('`limit`');
  });
});
