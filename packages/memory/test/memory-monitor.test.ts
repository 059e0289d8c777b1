import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  MemoryMonitor,
  type MemoryMonitorOptions,
  type MemoryReading,
  type OnPressureOptions,
  type PressureEvent,
} from '../src/index.ts';

const run = promisify(execFile);

/** A monitor whose readings are a share of the heap limit that the test sets. */
function makeMonitor(options: MemoryMonitorOptions = {}) {
  const fake = {
    ratio: 0.1,
    over: {} as Partial<MemoryReading>,
    reads: 0,
    start: vi.fn(),
    stop: vi.fn(),
    read(): MemoryReading {
      this.reads++;
      return { heapUsed: this.ratio * 0.8e6, heapLimit: 1e6, heapTotal: 1e6, external: 0, rss: 1e6, ...this.over };
    },
  };
  const onError = vi.fn();
  const monitor = new MemoryMonitor({ source: fake, onError, dwell: 1_000, ...options });
  return { monitor, fake, onError };
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('MemoryMonitor', () => {
  test('samples when it is started and then every interval, until it is closed', async () => {
    const { monitor, fake } = makeMonitor({ interval: 500 });
    expect(monitor.start()).toBe(monitor);
    monitor.start();
    expect(fake.reads).toBe(1);
    expect(fake.start).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(1_500);
    expect(fake.reads).toBe(4);
    await monitor.close();
    expect(fake.stop).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(5_000);
    expect(fake.reads).toBe(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('says the level, the limit that binds, and the smallest limit', () => {
    const { monitor, fake } = makeMonitor({ limit: 900_000 });
    fake.over = { containerLimit: 2e6, rss: 700_000 };
    expect(monitor.sample()).toMatchObject({ level: 'elevated', boundBy: 'limit', ratio: 700 / 900, limit: 900_000 });
    expect(monitor.level).toBe('elevated');
    expect(monitor.stats()).toMatchObject({ level: 'elevated', samples: 1, last: { limit: 900_000 } });
  });

  test('a saw-tooth of garbage is no pressure', () => {
    const { monitor, fake } = makeMonitor({ interval: 100 });
    const handler = vi.fn();
    monitor.onPressure(handler);
    fake.over = { heapLive: 0.24e6 };
    monitor.start();
    for (let tick = 0; tick < 200; tick++) {
      fake.ratio = tick % 10 === 0 ? 0.3 : 0.3 + (tick % 10) * 0.07;
      vi.advanceTimersByTime(100);
      expect(monitor.level).toBe('normal');
    }
    expect(handler).not.toHaveBeenCalled();
  });

  test('memory that is neither heap nor buffers is never critical', () => {
    const { monitor, fake } = makeMonitor();
    fake.over = { heapTotal: 1e5, rss: 98e4, containerLimit: 1e6 };
    expect(monitor.sample()).toMatchObject({ level: 'elevated', unexplained: true, ratio: 0.98 });
  });

  test('reads this process by default', () => {
    const monitor = new MemoryMonitor({ limit: 2 ** 40 });
    const sample = monitor.sample();
    expect(sample.heapUsed).toBeGreaterThan(1e6);
    expect(sample.heapUsed).toBeLessThan(sample.heapLimit);
    expect(sample.rss).toBeGreaterThan(sample.heapUsed);
    expect(sample.level).toBe('normal');
  });

  test('finds the limit of the container, and notices when it is changed', () => {
    let limit = 2 ** 33;
    const files: Record<string, () => string> = {
      '/proc/self/cgroup': () => '0::/\n',
      '/sys/fs/cgroup/memory.max': () => `${limit}\n`,
      '/sys/fs/cgroup/memory.current': () => '1000000\n',
      '/sys/fs/cgroup/memory.stat': () => 'inactive_file 400000\n',
    };
    const monitor = new MemoryMonitor({ readFile: (path) => files[path]?.() });
    expect(monitor.sample()).toMatchObject({ containerLimit: 2 ** 33, containerUsed: 600_000 });
    limit = 650_000;
    expect(monitor.sample().containerLimit).toBe(2 ** 33);
    vi.advanceTimersByTime(60_000);
    expect(monitor.sample()).toMatchObject({ containerLimit: 650_000, limit: 650_000, boundBy: 'container' });
  });
});

describe('onPressure', () => {
  test('runs handlers once per rise, the higher priority first', async () => {
    const { monitor, fake } = makeMonitor({ interval: 100, repeatEvery: Infinity });
    const calls: string[] = [];
    const log = (name: string) => (event: PressureEvent) => void calls.push(`${name} ${event.previous}>${event.level}`);
    monitor.onPressure(log('last'), { priority: -1 });
    monitor.onPressure(log('first'), { priority: 5 });
    monitor.onPressure(log('second'));
    monitor.start();
    fake.ratio = 0.8;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(calls).toEqual(['first normal>elevated', 'second normal>elevated', 'last normal>elevated']);
    calls.length = 0;
    fake.ratio = 0.95;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(calls).toEqual(['first elevated>critical', 'second elevated>critical', 'last elevated>critical']);
    calls.length = 0;
    fake.ratio = 0.1;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(monitor.level).toBe('normal');
    expect(calls).toEqual([]);
    fake.ratio = 0.95;
    await vi.advanceTimersByTimeAsync(100);
    expect(calls).toEqual(['first normal>critical', 'second normal>critical', 'last normal>critical']);
    expect(monitor.stats()).toMatchObject({ rounds: 3, handlers: 3 });
  });

  test('runs them again while the pressure lasts', async () => {
    const { monitor, fake } = makeMonitor({ interval: 100, repeatEvery: 1_000 });
    const handler = vi.fn();
    monitor.onPressure(handler);
    fake.ratio = 0.8;
    monitor.start();
    await vi.advanceTimersByTimeAsync(3_050);
    expect(handler).toHaveBeenCalledTimes(4);
    expect(handler.mock.lastCall?.[0]).toMatchObject({ level: 'elevated', previous: 'elevated' });
  });

  test('stops calling a handler that was removed, also by one before it, also by itself', async () => {
    const { monitor, fake } = makeMonitor();
    const removed = vi.fn();
    const once = vi.fn(() => removeOnce());
    monitor.onPressure(() => remove(), { priority: 2 });
    const removeOnce = monitor.onPressure(once, { priority: 1 });
    const remove = monitor.onPressure(removed);
    fake.ratio = 0.8;
    monitor.sample();
    await settled();
    fake.ratio = 0.95;
    monitor.sample();
    await settled();
    expect(removed).not.toHaveBeenCalled();
    expect(once).toHaveBeenCalledOnce();
    remove();
    expect(monitor.stats().handlers).toBe(1);
  });

  test('a handler that throws or rejects does not stop the next', async () => {
    const { monitor, fake, onError } = makeMonitor();
    const last = vi.fn();
    monitor.onPressure(() => {
      throw new Error('sync');
    });
    monitor.onPressure(() => Promise.reject(new Error('async')));
    monitor.onPressure(last);
    fake.ratio = 0.95;
    monitor.sample();
    await settled();
    expect(last).toHaveBeenCalledOnce();
    expect(onError.mock.calls.map(([error]) => (error as Error).message)).toEqual(['sync', 'async']);
    expect(monitor.stats().errors).toBe(2);
  });

  test('a handler that hangs is told to stop, reported, and passed over; what it says later is ignored', async () => {
    const { monitor, fake, onError } = makeMonitor({ handlerTimeout: 200 });
    let signal: AbortSignal | undefined;
    let fail: ((error: Error) => void) | undefined;
    monitor.onPressure((event) => {
      signal = event.signal;
      return new Promise((_, reject) => {
        fail = reject;
      });
    });
    const next = vi.fn();
    monitor.onPressure(next);
    fake.ratio = 0.95;
    monitor.sample();
    await vi.advanceTimersByTimeAsync(199);
    expect(next).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(next).toHaveBeenCalledOnce();
    expect(signal?.aborted).toBe(true);
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ code: 'PERF_MEMORY_HANDLER_TIMEOUT', timeout: 200 }),
      { component: 'MemoryMonitor "default"', callback: 'onPressure' },
    );
    fail?.(new Error('late'));
    await settled();
    expect(monitor.stats().errors).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('rounds do not overlap: a more urgent alarm waits, others are dropped', async () => {
    const { monitor, fake } = makeMonitor({ repeatEvery: 1 });
    const levels: string[] = [];
    const done: (() => void)[] = [];
    monitor.onPressure(({ level }) => {
      levels.push(level);
      return new Promise((resolve) => {
        done.push(resolve);
      });
    });
    fake.ratio = 0.8;
    monitor.sample();
    for (const ratio of [0.8, 0.95, 0.95]) {
      vi.advanceTimersByTime(10);
      fake.ratio = ratio;
      monitor.sample();
    }
    await settled();
    expect(levels).toEqual(['elevated']);
    done[0]?.();
    await settled();
    expect(levels).toEqual(['elevated', 'critical']);
    done[1]?.();
    await settled();
    expect(levels).toHaveLength(2);
  });

  test('a handler may sample and register handlers; those run in the next round', async () => {
    const { monitor, fake } = makeMonitor();
    const late = vi.fn();
    let rounds = 0;
    monitor.onPressure(() => {
      rounds++;
      monitor.sample();
      if (rounds === 1) monitor.onPressure(late);
    });
    fake.ratio = 0.8;
    monitor.sample();
    await settled();
    expect([rounds, late.mock.calls.length]).toEqual([1, 0]);
    fake.ratio = 0.95;
    monitor.sample();
    await settled();
    expect([rounds, late.mock.calls.length]).toEqual([2, 1]);
  });
});

describe('close', () => {
  test('aborts the handler that runs, starts no other, and does not wait for either', async () => {
    const { monitor, fake, onError } = makeMonitor();
    let reason: unknown;
    monitor.onPressure(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            reject(new Error('stopped'));
          });
        }),
    );
    const next = vi.fn();
    monitor.onPressure(next);
    fake.ratio = 0.95;
    monitor.sample();
    await monitor.close();
    expect(reason).toMatchObject({ code: 'PERF_MEMORY_CLOSED' });
    expect(next).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('may be called and awaited by a handler', async () => {
    const { monitor, fake } = makeMonitor();
    const after = vi.fn();
    monitor.onPressure(async () => {
      await monitor.close();
      after();
    });
    monitor.onPressure(after);
    fake.ratio = 0.95;
    monitor.start();
    await settled();
    expect(monitor.closed).toBe(true);
    expect(after).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is idempotent, and what comes after is an error', async () => {
    const { monitor } = makeMonitor({ name: 'main' });
    expect(monitor.close()).toBe(monitor.close());
    await monitor.close();
    for (const work of [() => monitor.sample(), () => monitor.start(), () => monitor.onPressure(() => {})]) {
      expect(work).toThrow(
        expect.objectContaining({ code: 'PERF_MEMORY_CLOSED', message: 'MemoryMonitor "main" is closed' }),
      );
    }
  });
});

test('a reading that fails is reported, and sampling goes on', () => {
  const { monitor, fake, onError } = makeMonitor({ interval: 100 });
  const read = vi.spyOn(fake, 'read').mockImplementationOnce(() => {
    throw new Error('no /proc');
  });
  monitor.start();
  expect(onError).toHaveBeenCalledExactlyOnceWith(new Error('no /proc'), {
    component: 'MemoryMonitor "default"',
    callback: 'source',
  });
  vi.advanceTimersByTime(100);
  expect(read).toHaveBeenCalledTimes(2);
  expect(monitor.stats().samples).toBe(1);
});

test.each([
  [{ limit: 0 }, '`limit` must be a positive integer, got 0'],
  [{ limit: 'some' }, '`limit` must be a positive integer, got "some"'],
  [{ thresholds: { elevated: 0.9, critical: 0.8 } }, '`thresholds.critical` must be a number from 0.9 to 1, got 0.8'],
  [{ thresholds: { high: 1 } }, '`thresholds` has no option `high`'],
  [{ hysteresis: 0.9 }, '`hysteresis` must be a number from 0 to 0.75, got 0.9'],
  [{ clock: {} }, '`clock` must be an object with a method `now`, got an object'],
  [{ readFile: 'x' }, '`readFile` must be a function, got "x"'],
  [{ source: null }, '`source` must be an object with a method `read`'],
  [{ interval: 0 }, '`interval` must be a positive number of milliseconds or Infinity, got 0'],
  [{ treshold: 1 }, 'MemoryMonitor has no option `treshold`'],
])('%o is refused', (options, message) => {
  expect(() => new MemoryMonitor(options as never)).toThrow(message);
});

test.each([
  [() => {}, { priority: NaN }, '`priority` must be a number'],
  [() => {}, { prio: 1 }, 'onPressure has no option `prio`'],
  ['no', {}, '`handler` must be a function, got "no"'],
])('onPressure(%o, %o) is refused', (handler, options, message) => {
  expect(() => makeMonitor().monitor.onPressure(handler as never, options as OnPressureOptions)).toThrow(message);
});

test('a real leak in a small heap is called critical before the process runs out, and nothing holds the process', async () => {
  const file = fileURLToPath(new URL('fixtures/leak-until-critical.ts', import.meta.url));
  const { stdout } = await run(process.execPath, ['--max-old-space-size=60', file]);
  expect(stdout.trim().split('\n')).toEqual(['elevated', 'critical']);
});
