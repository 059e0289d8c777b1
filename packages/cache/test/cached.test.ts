import { beforeEach, describe, expect, test, vi } from 'vitest';
import { TieredCache, cached, memoOf } from '../src/index.ts';

const calls = vi.fn();
beforeEach(() => calls.mockClear());

function makeClass(cache: TieredCache<string, unknown>) {
  return class Repository {
    static readonly kind: string = 'repository';
    readonly #region: string;

    constructor(region: string) {
      this.#region = region;
    }

    @cached(cache)
    async find(id: number, options?: { deep: boolean }): Promise<string> {
      calls('find', id);
      return `${this.#region} ${id} ${options?.deep ?? false}`;
    }

    @cached(cache, {
      key(id) {
        return `${this.region} ${id}`;
      },
      name: 'shared',
    })
    async shared(id: number): Promise<string> {
      calls('shared', id);
      return `${this.#region} ${id}`;
    }

    @cached(cache)
    async #secret(id: number): Promise<string> {
      calls('secret', id);
      return `secret ${this.#region} ${id}`;
    }

    @cached(cache)
    static async find(id: number): Promise<string> {
      calls('static', id);
      return `${this.kind} ${id}`;
    }

    @cached(cache)
    async fail(): Promise<never> {
      calls('fail');
      throw new Error(this.#region);
    }

    get region(): string {
      return this.#region;
    }

    secret(id: number): Promise<string> {
      return this.#secret(id);
    }
  };
}

describe('@cached', () => {
  const Repository = makeClass(new TieredCache<string, unknown>());

  test('calls once for equal arguments, with the right `this`', async () => {
    const eu = new Repository('eu');
    expect(await Promise.all([eu.find(1), eu.find(1), eu.find(1, { deep: true })])).toEqual([
      'eu 1 false',
      'eu 1 false',
      'eu 1 true',
    ]);
    expect(calls).toHaveBeenCalledTimes(2);
  });

  test('instances have results of their own', async () => {
    const [eu, us] = [new Repository('eu'), new Repository('us')];
    expect([await eu.find(1), await us.find(1)]).toEqual(['eu 1 false', 'us 1 false']);
  });

  test('methods of one name, static and not, do not share', async () => {
    const eu = new Repository('eu');
    expect([await eu.find(1), await Repository.find(1), await Repository.find(1)]).toEqual([
      'eu 1 false',
      'repository 1',
      'repository 1',
    ]);
    expect(calls).toHaveBeenCalledTimes(2);
  });

  test('a subclass has static results of its own', async () => {
    class Archive extends Repository {
      static override readonly kind = 'archive';
    }
    expect([await Repository.find(9), await Archive.find(9)]).toEqual(['repository 9', 'archive 9']);
  });

  test('private methods can be decorated', async () => {
    const eu = new Repository('eu');
    expect([await eu.secret(1), await eu.secret(1)]).toEqual(['secret eu 1', 'secret eu 1']);
    expect(calls).toHaveBeenCalledTimes(1);
  });

  test('key decides what instances share', async () => {
    const [one, other, us] = [new Repository('eu'), new Repository('eu'), new Repository('us')];
    expect([await one.shared(1), await other.shared(1), await us.shared(1)]).toEqual(['eu 1', 'eu 1', 'us 1']);
    expect(calls).toHaveBeenCalledTimes(2);
  });

  test('name, number of parameters and rejections are those of the method', async () => {
    const eu = new Repository('eu');
    expect([eu.find.name, eu.find.length]).toEqual(['find', 2]);
    await expect(eu.fail()).rejects.toThrow('eu');
    await expect(eu.fail()).rejects.toThrow('eu');
    expect(calls).toHaveBeenCalledTimes(2);
  });

  test('classes that are made alike do not share', async () => {
    const cache = new TieredCache<string, unknown>();
    const make = (tag: string) =>
      class {
        @cached(cache)
        async get(): Promise<string> {
          return tag;
        }
      };
    expect([await new (make('a'))().get(), await new (make('b'))().get()]).toEqual(['a', 'b']);
  });

  test('a name is given once in a cache', () => {
    expect(() => makeClass(new TieredCache<string, unknown>())).not.toThrow();
    const cache = new TieredCache<string, unknown>();
    makeClass(cache);
    expect(() => makeClass(cache)).toThrow(/`name` must be unique/);
  });

  test('an instance is not kept alive', async () => {
    // Results are filed under an id; the instance itself is only a key of a WeakMap.
    const eu = new Repository('eu');
    await eu.find(1);
    expect(await eu.find(1)).toBe('eu 1 false');
  });

  test('only methods can be decorated, and options are checked', () => {
    const cache = new TieredCache<string, unknown>();
    expect(() => cached(cache, { ttl: 0 })).toThrow(/`ttl`/);
    expect(() => cached(cache, { key: 'k' as never })).toThrow(/`key`/);
    expect(() => cached(cache, { tag: [] } as never)).toThrow(/no option `tag`/);
    expect(() => cached(cache, { tags: 't' as never })).toThrow(/`tags`/);
    const context = { kind: 'field', name: 'x' } as never;
    expect(() => cached(cache)(async () => 1, context)).toThrow('@cached decorates methods, not a field');
    expect(() => cached(cache)({} as never, 'find' as never)).toThrow('compile without `experimentalDecorators`');
  });

  test('what is remembered of one instance can be forgotten and renewed, call by call', async () => {
    const cache = new TieredCache<string, unknown>();
    let round = 0;
    class Weather {
      readonly #city: string;

      constructor(city: string) {
        this.#city = city;
      }

      @cached(cache)
      async today(unit: string): Promise<string> {
        return `${this.#city} ${unit} ${round}`;
      }

      async plain(): Promise<void> {}
    }
    const [oslo, rome] = [new Weather('Oslo'), new Weather('Rome')];
    const all = (): Promise<string[]> => Promise.all([oslo.today('C'), oslo.today('F'), rome.today('C')]);
    expect(await all()).toEqual(['Oslo C 0', 'Oslo F 0', 'Rome C 0']);
    round = 1;
    await memoOf(oslo, 'today').invalidate('C');
    expect(await all()).toEqual(['Oslo C 1', 'Oslo F 0', 'Rome C 0']);
    round = 2;
    expect(await memoOf(rome, 'today').refresh('C')).toBe('Rome C 2');
    expect(await all()).toEqual(['Oslo C 1', 'Oslo F 0', 'Rome C 2']);
    expect(await cache.get(memoOf(oslo, 'today').keyOf('F'))).toBe('Oslo F 0');
    expect(() => memoOf(oslo, 'plain')).toThrow(/must be decorated with @cached, and plain is not/);
  });

  test('tags and ttl may depend on the result and the arguments', async () => {
    const cache = new TieredCache<string, unknown>();
    const run = vi.fn();
    class Repository {
      @cached(cache, { tags: (result: string, id: number) => [`${result}-${id}`], ttl: (_result, id) => id * 1_000 })
      async find(id: number): Promise<string> {
        run(id);
        return 'user';
      }
    }
    const repository = new Repository();
    await repository.find(1);
    await repository.find(2);
    await cache.invalidateTags(['user-2']);
    await repository.find(1);
    await repository.find(2);
    expect(run.mock.calls).toEqual([[1], [2], [2]]);
  });
});
