import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type FactoryError, ObjectPool, type ObjectPoolOptions } from '../src/index.ts';

interface Thing {
  value: number;
}

const never = (): never => {
  throw new Error('boom');
};

/** A pool that reports its errors to a spy, so that nothing becomes a warning. */
function makePool(options: ObjectPoolOptions<Thing> = {}) {
  const onError = vi.fn();
  const pool = new ObjectPool<Thing>(() => ({ value: 0 }), { onError, ...options });
  return { pool, onError };
}

describe('ObjectPool', () => {
  test('lends again what came back, the last first', () => {
    const { pool } = makePool();
    const [first, second] = [pool.acquire(), pool.acquire()];
    expect(first).not.toBe(second);
    pool.release(first);
    pool.release(second);
    expect(pool.acquire()).toBe(second);
    expect(pool.acquire()).toBe(first);
    expect(pool.stats()).toMatchObject({ idle: 0, lent: 2, created: 2, reused: 2 });
  });

  test('resets an object when it comes back', () => {
    const { pool } = makePool({ reset: (thing) => void (thing.value = 0) });
    const thing = pool.acquire();
    thing.value = 7;
    pool.release(thing);
    expect(thing.value).toBe(0);
  });

  test('keeps no more than maxSize and disposes of the rest', () => {
    const dispose = vi.fn();
    const { pool } = makePool({ maxSize: 2, dispose });
    const things = Array.from({ length: 20 }, () => pool.acquire());
    for (const thing of things) pool.release(thing);
    expect(pool.stats()).toMatchObject({ idle: 2, lent: 0, discarded: 18 });
    expect(dispose).toHaveBeenCalledTimes(18);
  });

  test('does not lend an object that fails validation', () => {
    const dispose = vi.fn();
    const { pool } = makePool({ validate: (thing) => thing.value === 0, dispose });
    const bad = pool.acquire();
    bad.value = 1;
    pool.release(bad);
    expect(pool.acquire()).not.toBe(bad);
    expect(dispose).toHaveBeenCalledExactlyOnceWith(bad);
  });

  test('prefills up to a count', () => {
    const { pool } = makePool({ maxSize: 4 });
    expect(pool.prefill(3)).toBe(3);
    expect(pool.prefill(3)).toBe(0);
    expect(pool.stats()).toMatchObject({ idle: 3, created: 3 });
    expect(() => pool.prefill(5)).toThrow(new RangeError('`count` must be at most `maxSize` (4), got 5'));
    expect(() => pool.prefill(-1)).toThrow(RangeError);
  });

  test('trims what a burst left behind within two cycles, and not what is in use', () => {
    const { pool } = makePool();
    const burst = Array.from({ length: 50 }, () => pool.acquire());
    for (const thing of burst) pool.release(thing);
    const steady = (): void => {
      const things = [pool.acquire(), pool.acquire(), pool.acquire()];
      for (const thing of things) pool.release(thing);
    };
    pool.trim();
    steady();
    pool.trim();
    expect(pool.stats().idle).toBe(3);
    steady();
    pool.trim();
    expect(pool.stats()).toMatchObject({ idle: 3, created: 50 });
  });

  test('clear disposes of the idle ones, and takes back those that are out', () => {
    const dispose = vi.fn();
    const { pool } = makePool({ dispose });
    const [out, idle] = [pool.acquire(), pool.acquire()];
    pool.release(idle);
    expect(pool.clear()).toBe(1);
    expect(dispose).toHaveBeenCalledExactlyOnceWith(idle);
    pool.release(out);
    expect(pool.acquire()).toBe(out);
  });

  test('takes functions, arrays, buffers and frozen objects', () => {
    for (const make of [() => () => 1, () => [1], () => Buffer.alloc(4), () => Object.freeze({ map: new Map() })]) {
      const pool = new ObjectPool<object>(make);
      const object = pool.acquire();
      pool.release(object);
      expect(pool.acquire()).toBe(object);
      expect(Reflect.ownKeys(object)).toEqual(Reflect.ownKeys(make()));
    }
  });
});

describe('a wrong release', () => {
  test('of an object released already is an error, and the object is lent once', () => {
    const { pool } = makePool({ name: 'parsers' });
    const thing = pool.acquire();
    pool.release(thing);
    expect(() => pool.release(thing)).toThrow(
      expect.objectContaining({ name: 'DoubleReleaseError', code: 'PERF_MEMORY_DOUBLE_RELEASE', pool: 'parsers' }),
    );
    expect(pool.acquire()).toBe(thing);
    expect(pool.acquire()).not.toBe(thing);
  });

  test.each([{ value: 0 }, null, undefined, 3, 'x'])('of %o, which never came from a pool, is an error', (foreign) => {
    const { pool } = makePool();
    expect(() => pool.release(foreign as Thing)).toThrow(
      expect.objectContaining({ name: 'ForeignReleaseError', code: 'PERF_MEMORY_FOREIGN_RELEASE' }),
    );
    expect(pool.stats()).toMatchObject({ idle: 0, lent: 0 });
  });

  test('of another pool`s object is an error, and it can still be released there', () => {
    const { pool: one } = makePool();
    const { pool: other } = makePool();
    const thing = one.acquire();
    expect(() => other.release(thing)).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_FOREIGN_RELEASE' }));
    one.release(thing);
    expect(one.stats()).toMatchObject({ idle: 1, lent: 0 });
  });

  test('of a discarded object is an error', () => {
    const { pool } = makePool();
    const thing = pool.acquire();
    pool.release(thing);
    pool.clear();
    expect(() => pool.release(thing)).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_DOUBLE_RELEASE' }));
    expect(pool.acquire()).not.toBe(thing);
  });

  test('from within reset, validate or dispose is an error that goes to onError', () => {
    let pool: ObjectPool<Thing>;
    const again = (thing: Thing): boolean => {
      pool.release(thing);
      return true;
    };
    for (const callback of ['reset', 'validate', 'dispose'] as const) {
      const made = makePool({ [callback]: again });
      pool = made.pool;
      pool.release(pool.acquire());
      pool.acquire();
      pool.clear();
      if (callback === 'dispose') {
        pool.release(pool.acquire());
        pool.clear();
      }
      expect(made.onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'PERF_MEMORY_DOUBLE_RELEASE' }), {
        component: 'ObjectPool',
        callback,
      });
      const { created, idle, lent, discarded } = pool.stats();
      expect(created).toBe(idle + lent + discarded);
    }
  });
});

describe('a callback that fails', () => {
  test('a throwing factory leaves the pool as it was', () => {
    let fail = true;
    const pool = new ObjectPool(() => (fail ? never() : { value: 1 }));
    expect(() => pool.acquire()).toThrow('boom');
    expect(() => pool.prefill(2)).toThrow('boom');
    expect(pool.stats()).toMatchObject({ idle: 0, lent: 0, created: 0 });
    fail = false;
    expect(pool.acquire()).toEqual({ value: 1 });
  });

  test('prefill keeps what was made before the factory threw', () => {
    let made = 0;
    const pool = new ObjectPool(() => (++made > 2 ? never() : {}));
    expect(() => pool.prefill(5)).toThrow('boom');
    expect(pool.stats()).toMatchObject({ idle: 2, created: 2 });
  });

  test('a throwing reset disposes of the object, reports once, and release returns', () => {
    const dispose = vi.fn();
    const { pool, onError } = makePool({ reset: never, dispose, name: 'p' });
    const thing = pool.acquire();
    pool.release(thing);
    expect(onError).toHaveBeenCalledExactlyOnceWith(new Error('boom'), {
      component: 'ObjectPool "p"',
      callback: 'reset',
    });
    expect(dispose).toHaveBeenCalledExactlyOnceWith(thing);
    expect(pool.stats()).toMatchObject({ idle: 0, lent: 0, discarded: 1, errors: 1 });
    expect(pool.acquire()).not.toBe(thing);
  });

  test('a throwing validate disposes of the object, and another is lent', () => {
    const { pool } = makePool({ validate: never });
    const thing = pool.acquire();
    pool.release(thing);
    expect(pool.acquire()).not.toBe(thing);
    expect(pool.stats()).toMatchObject({ lent: 1, discarded: 1, errors: 1 });
  });

  test('a throwing dispose does not stop the others', () => {
    const dispose = vi.fn(never);
    const { pool } = makePool({ dispose });
    pool.prefill(3);
    expect(pool.clear()).toBe(3);
    expect(dispose).toHaveBeenCalledTimes(3);
    expect(pool.stats()).toMatchObject({ idle: 0, discarded: 3, errors: 3 });
  });

  test('async callbacks are refused when the pool is made', () => {
    const later = (async () => {}) as () => void;
    expect(() => new ObjectPool(async () => ({}))).toThrow('`factory` must be synchronous, got an async function');
    expect(() => makePool({ reset: later })).toThrow('`reset` must be synchronous, got an async function');
    expect(() => makePool({ dispose: later })).toThrow('`dispose` must be synchronous');
    expect(() => makePool({ validate: later as () => boolean })).toThrow('`validate` must be synchronous');
  });

  test('a promise for an answer is an error, and its rejection is handled', async () => {
    const late = (): Promise<never> => Promise.reject(new Error('late'));
    const silent = late as () => void;
    const { pool, onError } = makePool({ reset: silent, dispose: silent });
    pool.release(pool.acquire());
    expect(onError).toHaveBeenCalledTimes(2);
    const validating = makePool({ validate: (() => Promise.resolve(true)) as unknown as () => boolean });
    validating.pool.release(validating.pool.acquire());
    validating.pool.acquire();
    expect(validating.pool.stats()).toMatchObject({ created: 2, reused: 0, errors: 1 });
    const promising = new ObjectPool(() => late());
    expect(() => promising.acquire()).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_FACTORY' }));
    await new Promise((resolve) => setImmediate(resolve));
  });

  test.each([undefined, null, 5, 'text'])('a factory that returns %o is an error', (product) => {
    const pool = new ObjectPool(() => product as unknown as object);
    expect(() => pool.acquire()).toThrow(expect.objectContaining<Partial<FactoryError>>({ name: 'FactoryError' }));
    expect(pool.stats()).toMatchObject({ lent: 0, created: 0 });
  });

  test('a factory that returns an object twice is an error, and the object keeps its one borrower', () => {
    const shared = { value: 1 };
    const pool = new ObjectPool(() => shared, { name: 'shared' });
    expect(pool.acquire()).toBe(shared);
    expect(() => pool.acquire()).toThrow('the factory of pool "shared" returned an object that is in a pool already');
    expect(() => new ObjectPool(() => shared).acquire()).toThrow('in a pool already');
    expect(pool.stats()).toMatchObject({ lent: 1, created: 1 });
    pool.release(shared);
  });

  test('an object a pool let go of may join another', () => {
    const shared = { value: 1 };
    const pool = new ObjectPool(() => shared);
    pool.release(pool.acquire());
    pool.clear();
    const other = new ObjectPool(() => shared);
    expect(other.acquire()).toBe(shared);
    expect(() => pool.release(shared)).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_FOREIGN_RELEASE' }));
    other.release(shared);
  });

  test('a throwing or rejecting onError hurts nobody', async () => {
    for (const onError of [never, () => Promise.reject(new Error('late')) as unknown as void]) {
      const { pool } = makePool({ reset: never, onError });
      pool.release(pool.acquire());
      expect(pool.stats()).toMatchObject({ lent: 0, errors: 1 });
    }
    await new Promise((resolve) => setImmediate(resolve));
  });

  test('without onError, the first failure is a process warning', () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const pool = new ObjectPool(() => ({}), { reset: never, name: 'noisy' });
    pool.release(pool.acquire());
    pool.release(pool.acquire());
    expect(emitWarning).toHaveBeenCalledExactlyOnceWith(
      'ObjectPool "noisy": `reset` failed; later failures are only counted in stats()',
      expect.objectContaining({ code: 'PERF_MEMORY_CALLBACK' }),
    );
    emitWarning.mockRestore();
  });

  test('a reset that closes or fills the pool is survived', async () => {
    const closing = makePool({ reset: () => void pool.close() });
    const pool = closing.pool;
    pool.release(pool.acquire());
    expect(pool.stats()).toMatchObject({ idle: 0, lent: 0, discarded: 1 });
    let spare: Thing | undefined;
    const filling = makePool({
      maxSize: 1,
      reset: () => {
        const thing = spare;
        spare = undefined;
        if (thing !== undefined) filling.pool.release(thing);
      },
    });
    const thing = filling.pool.acquire();
    spare = filling.pool.acquire();
    filling.pool.release(thing);
    expect(filling.pool.stats()).toMatchObject({ idle: 1, lent: 0, discarded: 1, errors: 0 });
  });
});

describe('use', () => {
  test('releases after a result, a throw, a resolved and a rejected promise', async () => {
    const { pool } = makePool();
    expect(pool.use((thing) => thing.value + 1)).toBe(1);
    expect(() => pool.use(never)).toThrow('boom');
    const promise = pool.use(async (thing) => {
      await Promise.resolve();
      return thing.value + 2;
    });
    expect(pool.stats().lent).toBe(1);
    await expect(promise).resolves.toBe(2);
    await expect(pool.use(() => Promise.reject(new Error('late')))).rejects.toThrow('late');
    expect(pool.stats()).toMatchObject({ idle: 1, lent: 0, created: 1 });
  });

  test('says so when the work released the object itself', () => {
    const { pool } = makePool();
    expect(() => pool.use((thing) => pool.release(thing))).toThrow(
      expect.objectContaining({ code: 'PERF_MEMORY_DOUBLE_RELEASE' }),
    );
    expect(pool.stats()).toMatchObject({ idle: 1, lent: 0 });
  });

  test('does not take an object from its next borrower', () => {
    const { pool } = makePool();
    let next: Thing | undefined;
    const work = (thing: Thing): void => {
      pool.release(thing);
      next = pool.acquire();
      expect(next).toBe(thing);
    };
    expect(() => pool.use(work)).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_DOUBLE_RELEASE' }));
    expect(pool.acquire()).not.toBe(next);
    expect(pool.stats()).toMatchObject({ idle: 0, lent: 2 });
  });

  test('keeps the error of work that also released the object', () => {
    const { pool } = makePool();
    const work = (thing: Thing): never => {
      pool.release(thing);
      return never();
    };
    expect(() => pool.use(work)).toThrow('boom');
  });
});

describe('close', () => {
  test('disposes of the idle, and of the lent when they come back', async () => {
    const dispose = vi.fn();
    const { pool } = makePool({ dispose, name: 'p' });
    const [out, idle] = [pool.acquire(), pool.acquire()];
    pool.release(idle);
    await pool.close();
    await pool.close();
    expect(pool.closed).toBe(true);
    expect(dispose.mock.calls).toEqual([[idle]]);
    pool.release(out);
    expect(dispose.mock.calls).toEqual([[idle], [out]]);
    for (const work of [() => pool.acquire(), () => pool.prefill(1), () => pool.use(() => 1)]) {
      expect(work).toThrow(
        expect.objectContaining({ code: 'PERF_MEMORY_CLOSED', message: 'ObjectPool "p" is closed' }),
      );
    }
  });

  test('happens at the end of an `await using` block', async () => {
    const { pool } = makePool();
    {
      await using scoped = pool;
      scoped.prefill(1);
    }
    expect(pool.closed).toBe(true);
  });
});

describe('options', () => {
  test.each([
    [{ maxSize: 0 }, '`maxSize` must be a positive integer, got 0'],
    [{ maxSize: '5' }, '`maxSize` must be a positive integer, got "5"'],
    [{ reset: 1 }, '`reset` must be a function, got 1'],
    [{ onError: 1 }, '`onError` must be a function, got 1'],
    [{ name: '' }, '`name` must be a non-empty string, got ""'],
    [{ max: 3 }, 'ObjectPool has no option `max`'],
    [null, 'ObjectPool takes an options object, got null'],
  ])('%o is refused', (options, message) => {
    expect(() => new ObjectPool(() => ({}), options as never)).toThrow(message);
  });

  test('a missing factory is refused', () => {
    expect(() => new ObjectPool(undefined as never)).toThrow('`factory` must be a function, got undefined');
  });
});

test('whatever is done, each object has one place, and no two borrowers', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('acquire' as const) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), pick: fc.nat() }) },
    fc.record({ do: fc.constant('releaseAgain' as const), pick: fc.nat() }),
    fc.record({ do: fc.constant('prefill' as const), count: fc.nat({ max: 4 }) }),
    fc.record({ do: fc.constantFrom('trim' as const, 'clear' as const) }),
    fc.record({ do: fc.constant('break' as const), which: fc.constantFrom('factory', 'reset', 'validate', 'dispose') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let broken = '';
      const fragile = (which: string): void => {
        if (broken !== which) return;
        broken = '';
        never();
      };
      const disposed = new Set<object>();
      const pool = new ObjectPool<object>(
        () => {
          fragile('factory');
          return {};
        },
        {
          maxSize: 4,
          reset: () => fragile('reset'),
          validate: () => {
            fragile('validate');
            return true;
          },
          dispose: (object) => {
            expect(disposed.has(object)).toBe(false);
            disposed.add(object);
            fragile('dispose');
          },
          onError: () => {},
        },
      );
      const lent: object[] = [];
      const back: object[] = [];
      for (const each of steps) {
        try {
          if (each.do === 'acquire') {
            const object = pool.acquire();
            expect(lent).not.toContain(object);
            expect(disposed.has(object)).toBe(false);
            lent.push(object);
          } else if (each.do === 'release' && lent.length > 0) {
            const [object] = lent.splice(each.pick % lent.length, 1);
            pool.release(object as object);
            back.push(object as object);
          } else if (each.do === 'releaseAgain' && back.length > 0) {
            const object = back[each.pick % back.length] as object;
            if (!lent.includes(object)) expect(() => pool.release(object)).toThrow('released twice');
          } else if (each.do === 'prefill') pool.prefill(each.count);
          else if (each.do === 'trim') pool.trim();
          else if (each.do === 'clear') pool.clear();
          else if (each.do === 'break') broken = each.which;
        } catch (error) {
          expect(error).toEqual(new Error('boom'));
        }
        const stats = pool.stats();
        expect(stats.lent).toBe(lent.length);
        expect(stats.idle).toBeLessThanOrEqual(4);
        expect(stats.created).toBe(stats.idle + stats.lent + stats.discarded);
        expect(stats.discarded).toBe(disposed.size);
      }
    }),
  );
});
