import { ManualClock } from '@perf/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { Profiler } from '../src/index.ts';

const clock = new ManualClock();
const profiler = new Profiler({ clock });
const KEY = Symbol('key');

beforeEach(() => profiler.reset());

class Base {
  @profiler.profile()
  method(by = 1): number {
    clock.advance(by);
    return this.#secret();
  }

  @profiler.profile()
  static make(): Base {
    return new this();
  }

  @profiler.profile()
  #secret(): number {
    return 42;
  }

  @profiler.profile()
  [KEY](): string {
    return 'symbol';
  }

  @profiler.profile()
  get value(): number {
    return 1;
  }

  @profiler.profile()
  set value(to: number) {
    clock.advance(to);
  }

  @profiler.profile()
  accessor level = 5;

  @profiler.profile()
  handler = (): Base => this;

  @profiler.profile()
  label = 'no function';

  @profiler.profile('named by hand')
  async named(): Promise<string> {
    return 'named';
  }

  @profiler.profile()
  async *stream(): AsyncGenerator<number> {
    clock.advance(1);
    yield 1;
  }
}

class Sub extends Base {
  @profiler.profile()
  override method(by?: number): number {
    return super.method(by) + 1;
  }
}

const calls = (name: string): number | undefined => profiler.report(name)?.calls;

describe('a decorated', () => {
  test('method is measured under its class, whichever subclass the instance is of', () => {
    expect(new Sub().method(3)).toBe(43);
    expect(new Base().method(4)).toBe(42);
    expect(profiler.report('Base.method')).toMatchObject({ calls: 2, total: 7 });
    expect(profiler.report('Sub.method')).toMatchObject({ calls: 1, total: 3, self: 0 });
  });

  test('method keeps its name and length', () => {
    const method = Reflect.get(Base.prototype, 'method') as (...args: unknown[]) => unknown;
    expect([method.name, method.length]).toEqual(['method', 0]);
  });

  test('static method is measured under its class, called on a subclass too', () => {
    expect(Sub.make()).toBeInstanceOf(Sub);
    expect(calls('Base.make')).toBe(1);
  });

  test('private method is measured under its name', () => {
    new Base().method();
    expect(calls('#secret')).toBe(1);
  });

  test('symbol method is measured', () => {
    expect(new Base()[KEY]()).toBe('symbol');
    expect(calls('Base.Symbol(key)')).toBe(1);
  });

  test('getter and setter share a name', () => {
    const base = new Base();
    base.value = 7;
    expect(base.value).toBe(1);
    expect(profiler.report('Base.value')).toMatchObject({ calls: 2, total: 7 });
  });

  test('accessor works as before', () => {
    const base = new Base();
    base.level += 1;
    expect(base.level).toBe(6);
    expect(calls('Base.level')).toBe(3);
  });

  test('field is measured if it is a function, with its own `this`', () => {
    const base = new Base();
    expect(base.handler()).toBe(base);
    expect(base.label).toBe('no function');
    expect(calls('Base.handler')).toBe(1);
  });

  test('async method and async generator are measured to their end', async () => {
    const base = new Base();
    expect(await base.named()).toBe('named');
    for await (const each of base.stream()) expect(each).toBe(1);
    expect(profiler.report('named by hand')).toMatchObject({ calls: 1, timed: 1 });
    expect(profiler.report('Base.stream')).toMatchObject({ calls: 1, timed: 1, total: 1 });
  });

  test('method that was detached is measured under its name alone', () => {
    const detached = new Profiler({ clock });
    class Thing {
      @detached.profile()
      free(this: void): string {
        return 'free';
      }
    }
    const { free } = new Thing();
    expect(free()).toBe('free');
    expect(detached.report('free')?.calls).toBe(1);
  });
});

describe('the decorator', () => {
  test('says so when it is applied as a legacy one', () => {
    const legacy = profiler.profile() as unknown as (...args: unknown[]) => unknown;
    expect(() => legacy({}, 'method', { value: () => 1 })).toThrow('switch `experimentalDecorators` off');
  });

  test('refuses a class', () => {
    const onClass = profiler.profile() as unknown as (...args: unknown[]) => unknown;
    expect(() => onClass(Sub, { kind: 'class', name: 'X' })).toThrow('use `wrap`');
  });
});
