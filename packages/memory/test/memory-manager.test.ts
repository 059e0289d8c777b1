import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  BufferPool,
  MemoryManager,
  type MemoryManagerOptions,
  MemoryMonitor,
  type MemoryReading,
} from '../src/index.ts';
import { mayForceGc } from '../src/gc-budget.ts';

/** A manager whose monitor reads the share of the heap limit that the test sets. */
function makeManager(options: MemoryManagerOptions = {}) {
  const fake = {
    ratio: 0.1,
    read(): MemoryReading {
      return { heapUsed: this.ratio * 0.8e6, heapLimit: 1e6, heapTotal: 1e6, external: 0, rss: 1e6 };
    },
  };
  const onError = vi.fn();
  const manager = new MemoryManager({ monitor: { source: fake, interval: 100 }, onError, ...options });
  return { manager, fake, onError };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('MemoryManager', () => {
  test('makes pools by name, and finds them again', async () => {
    await using manager = makeManager().manager;
    const pool = manager.createPool('parsers', () => ({ text: '' }), { maxSize: 2 });
    expect(manager.pool('parsers')).toBe(pool);
    pool.release(pool.acquire());
    expect(manager.stats().pools).toMatchObject({ parsers: { idle: 1, maxSize: 2 } });
    expect(() => manager.pool('other')).toThrow(
      expect.objectContaining({ code: 'PERF_MEMORY_UNKNOWN_POOL', pool: 'other' }),
    );
  });

  test('a name is given once, until its pool is closed', async () => {
    await using manager = makeManager().manager;
    const pool = manager.createPool('a', () => ({}));
    const taken = expect.objectContaining({ code: 'PERF_MEMORY_NAME_TAKEN', taken: 'a' }) as Error;
    expect(() => manager.createPool('a', () => ({}))).toThrow(taken);
    expect(() => manager.addReliever('a', () => {})).toThrow(taken);
    await pool.close();
    expect(manager.createPool('a', () => ({}))).toBe(manager.pool('a'));
  });

  test('finds objects by name as long as they are used', async () => {
    await using manager = makeManager().manager;
    const schema = { type: 'object' };
    manager.weak.set('schema', schema);
    expect(manager.weak.get('schema')).toBe(schema);
  });

  test('trims the pools now and then', async () => {
    vi.useFakeTimers();
    await using manager = makeManager({ trimInterval: 1_000 }).manager;
    const pool = manager.createPool('burst', () => ({}));
    pool.prefill(10);
    vi.advanceTimersByTime(1_000);
    pool.release(pool.acquire());
    vi.advanceTimersByTime(1_000);
    expect(pool.stats().idle).toBe(1);
  });

  test('reports what fails in a pool without an onError of its own', async () => {
    const { manager, onError } = makeManager();
    const reset = (): never => {
      throw new Error('boom');
    };
    const pool = manager.createPool('p', () => ({}), { reset });
    pool.release(pool.acquire());
    expect(onError).toHaveBeenCalledExactlyOnceWith(new Error('boom'), {
      component: 'ObjectPool "p"',
      callback: 'reset',
    });
    await manager.close();
  });
});

describe('relieve', () => {
  test('empties the pools and runs the relievers by priority', async () => {
    await using manager = makeManager().manager;
    manager.createPool('pool', () => ({})).prefill(3);
    manager.addReliever('after', () => {}, { priority: -1 });
    manager.addReliever('first', (level) => (level === 'critical' ? 5 : 0), { priority: 1 });
    const report = manager.relieve();
    expect(report).toMatchObject({ level: 'critical', gc: 'never' });
    expect(report.steps.map(({ name, items }) => [name, items])).toEqual([
      ['first', 5],
      ['pool', 3],
      ['after', undefined],
    ]);
    expect(report.freed).toBe(
      report.before.heapUsed + report.before.external - report.after.heapUsed - report.after.external,
    );
    expect(manager.stats()).toMatchObject({ reliefs: 1, lastRelief: report });
  });

  test('measures what each one freed, when it may collect garbage', async () => {
    await using manager = makeManager().manager;
    const pool = manager.createPool('large', () => new Float64Array(2 ** 17));
    pool.prefill(20);
    const buffers = new BufferPool({ maxBytes: 2 ** 25 });
    // In a function of its own, so that no register of this one holds a buffer.
    (() => {
      const lent = Array.from({ length: 10 }, () => buffers.acquire(2 ** 20));
      for (const buffer of lent) buffers.release(buffer);
    })();
    const cache = new Map(Array.from({ length: 200_000 }, (_, index) => [index, { index }]));
    manager.addReliever('cache', () => cache.clear());
    manager.addReliever('buffers', () => buffers.clear());
    manager.addReliever('nothing', () => 0);
    const { steps, freed, gc } = manager.relieve({ gc: 'each' });
    const by = Object.fromEntries(steps.map((step) => [step.name, step.freed]));
    expect(gc).toBe('each');
    expect(by['large']).toBeGreaterThan(20 * 2 ** 20 * 0.95);
    expect(by['buffers']).toBeGreaterThan(10 * 2 ** 20 * 0.95);
    expect(by['cache']).toBeGreaterThan(200_000 * 8);
    expect(Math.abs(by['nothing'] ?? NaN)).toBeLessThan(2 ** 19);
    expect(freed).toBeGreaterThan(30 * 2 ** 20);
  });

  test('trims at elevated pressure, and says the level', async () => {
    await using manager = makeManager().manager;
    const pool = manager.createPool('pool', () => ({}));
    pool.prefill(4);
    const reliever = vi.fn();
    manager.addReliever('r', reliever);
    manager.relieve({ level: 'elevated' });
    expect(pool.stats().idle).toBe(4);
    expect(reliever).toHaveBeenCalledExactlyOnceWith('elevated');
    manager.relieve({ level: 'elevated' });
    expect(pool.stats().idle).toBe(0);
  });

  test('a reliever that throws or answers with a promise is reported, and the others run', async () => {
    const { manager, onError } = makeManager();
    const last = vi.fn();
    manager.addReliever('throws', () => {
      throw new Error('boom');
    });
    manager.addReliever('promises', (() => Promise.reject(new Error('late'))) as unknown as () => void);
    manager.addReliever('last', last);
    const { steps } = manager.relieve();
    expect(steps.map(({ error }) => error)).toEqual([new Error('boom'), expect.any(TypeError), undefined]);
    expect(last).toHaveBeenCalledOnce();
    expect(onError).toHaveBeenCalledTimes(2);
    expect(manager.stats().errors).toBe(2);
    await manager.close();
  });

  test('is not entered twice', async () => {
    const { manager } = makeManager();
    manager.addReliever('again', () => void manager.relieve());
    expect(manager.relieve().steps[0]?.error).toMatchObject({ code: 'PERF_MEMORY_RELIEF_REENTRY' });
    expect(manager.stats().reliefs).toBe(1);
    await manager.close();
  });

  test('leaves out a reliever that one before it removed, and one removed earlier', async () => {
    await using manager = makeManager().manager;
    const removed = vi.fn();
    const early = manager.addReliever('early', removed);
    early();
    manager.addReliever('first', () => remove(), { priority: 1 });
    const remove = manager.addReliever('second', removed);
    const again = manager.addReliever('early', () => {});
    early();
    expect(manager.relieve().steps.map(({ name }) => name)).toEqual(['first', 'early']);
    expect(removed).not.toHaveBeenCalled();
    again();
  });

  test('happens by itself under pressure', async () => {
    vi.useFakeTimers();
    const { manager, fake } = makeManager();
    const pool = manager.createPool('pool', () => ({}));
    pool.prefill(4);
    fake.ratio = 0.95;
    await vi.advanceTimersByTimeAsync(100);
    expect(pool.stats().idle).toBe(0);
    expect(manager.stats()).toMatchObject({ reliefs: 1, lastRelief: { level: 'critical', gc: 'never' } });
    await manager.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('collects garbage under pressure when allowed to, but not over and over', async () => {
    vi.useFakeTimers();
    const { manager, fake } = makeManager({
      gc: 'once',
      monitor: { source: { read: () => fake.read() }, interval: 100, repeatEvery: 1_000 },
    });
    fake.ratio = 0.95;
    const gcs: unknown[] = [];
    for (let second = 0; second < 11; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      gcs.push(manager.stats().lastRelief?.gc);
    }
    expect(gcs.filter((gc) => gc === 'once').length).toBeGreaterThanOrEqual(1);
    expect(gcs.filter((gc) => gc === 'once').length).toBeLessThanOrEqual(2);
    await manager.close();
  });
});

describe('close', () => {
  test('closes pools and its own monitor; what comes after is an error', async () => {
    const { manager } = makeManager({ name: 'm' });
    const pool = manager.createPool('p', () => ({}));
    expect(manager.close()).toBe(manager.close());
    await manager.close();
    expect([pool.closed, manager.monitor.closed, manager.closed]).toEqual([true, true, true]);
    for (const work of [
      () => manager.createPool('q', () => ({})),
      () => manager.addReliever('q', () => {}),
      () => manager.relieve(),
    ]) {
      expect(work).toThrow(
        expect.objectContaining({ code: 'PERF_MEMORY_CLOSED', message: 'MemoryManager "m" is closed' }),
      );
    }
  });

  test('leaves a monitor that was given open, and without its handler', async () => {
    const monitor = new MemoryMonitor();
    const { manager } = makeManager({ monitor });
    expect(manager.monitor).toBe(monitor);
    expect(monitor.stats()).toMatchObject({ handlers: 1, samples: 0 });
    await manager.close();
    expect(monitor.closed).toBe(false);
    expect(monitor.stats().handlers).toBe(0);
    await monitor.close();
  });
});

test('a forced collection waits 10 seconds, and 19 times as long as the last one took', () => {
  expect(mayForceGc(undefined, 0)).toBe(true);
  expect(mayForceGc({ endedAt: 0, took: 1 }, 9_999)).toBe(false);
  expect(mayForceGc({ endedAt: 0, took: 1 }, 10_000)).toBe(true);
  expect(mayForceGc({ endedAt: 0, took: 2_000 }, 37_999)).toBe(false);
  expect(mayForceGc({ endedAt: 0, took: 2_000 }, 38_000)).toBe(true);
});

test.each([
  [{ gc: 'each' }, "`gc` must be one of 'never', 'once', got \"each\""],
  [{ clock: 5 }, '`clock` must be an object with a method `now`, got 5'],
  [{ monitor: 5 }, '`monitor` takes an options object, got 5'],
  [{ monitor: null }, '`monitor` takes an options object, got null'],
  [{ trimInterval: 0 }, '`trimInterval` must be a positive number of milliseconds or Infinity, got 0'],
  [{ monitor: { intervall: 1 } }, '`monitor` has no option `intervall`'],
  [{ pools: 1 }, 'MemoryManager has no option `pools`'],
])('%o is refused', (options, message) => {
  expect(() => new MemoryManager(options as never)).toThrow(message);
});

test.each([
  [{ gc: 'yes' }, "`gc` must be one of 'never', 'once', 'each', got \"yes\""],
  [{ level: 'normal' }, "`level` must be one of 'elevated', 'critical', got \"normal\""],
])('relieve(%o) is refused', async (options, message) => {
  await using manager = makeManager().manager;
  expect(() => manager.relieve(options as never)).toThrow(message);
});
