import type { Closeable, PerfError, StatsSource } from '@perf/core';
import { expectTypeOf, test } from 'vitest';
import {
  BufferPool,
  type BufferPoolStats,
  type DoubleReleaseError,
  type LeakDetector,
  MemoryManager,
  MemoryMonitor,
  ObjectPool,
  type PressureEvent,
  type ReliefReport,
  WeakValueMap,
  type observeGc,
} from '../src/index.ts';

test('a pool lends what its factory makes', () => {
  const pool = new ObjectPool(() => new Float64Array(8), { reset: (array) => void array.fill(0) });
  expectTypeOf(pool.acquire()).toEqualTypeOf<Float64Array<ArrayBuffer>>();
  expectTypeOf(pool.use((array) => array.length)).toEqualTypeOf<number>();
  expectTypeOf(pool.use(async (array) => array.length)).toEqualTypeOf<Promise<number>>();
  // @ts-expect-error -- only objects are pooled
  void new ObjectPool(() => 5);
  // @ts-expect-error -- no such option
  void new ObjectPool(() => ({}), { size: 5 });
  // @ts-expect-error -- a promise is no answer
  void new ObjectPool(() => ({}), { validate: async () => true });
  // @ts-expect-error -- of another type
  pool.release({});
});

test('a buffer pool lends buffers', () => {
  const pool = new BufferPool({ zero: 'never' });
  expectTypeOf(pool.acquire(1)).toExtend<Buffer>();
  expectTypeOf(pool.stats()).toEqualTypeOf<BufferPoolStats>();
  // @ts-expect-error -- no such policy
  void new BufferPool({ zero: 'always' });
});

test('a weak map holds objects', () => {
  const map = new WeakValueMap<string, { a: number }>();
  expectTypeOf(map.get('a')).toEqualTypeOf<{ a: number } | undefined>();
  expectTypeOf([...map]).toEqualTypeOf<[string, { a: number }][]>();
  // @ts-expect-error -- numbers are not held weakly
  void new WeakValueMap<string, number>();
});

test('a monitor says what it knows', () => {
  const monitor = new MemoryMonitor({ limit: 'auto', thresholds: { critical: 0.95 } });
  expectTypeOf(monitor.level).toEqualTypeOf<'normal' | 'elevated' | 'critical'>();
  expectTypeOf(monitor.onPressure(() => {})).toEqualTypeOf<() => void>();
  expectTypeOf<PressureEvent['level']>().toEqualTypeOf<'elevated' | 'critical'>();
  expectTypeOf(monitor.start()).toEqualTypeOf<MemoryMonitor>();
  // @ts-expect-error -- sizes are bytes
  void new MemoryMonitor({ limit: '512mb' });
});

test('a manager finds pools by name', () => {
  const manager = new MemoryManager();
  expectTypeOf(manager.createPool('a', () => ({ n: 1 }))).toEqualTypeOf<ObjectPool<{ n: number }>>();
  expectTypeOf(manager.pool<{ n: number }>('a')).toEqualTypeOf<ObjectPool<{ n: number }>>();
  expectTypeOf(manager.relieve()).toEqualTypeOf<ReliefReport>();
});

test('what has a lifetime can be closed, what counts has stats, and errors are PerfErrors', () => {
  expectTypeOf<ObjectPool<object>>().toExtend<Closeable & StatsSource<object>>();
  expectTypeOf<BufferPool>().toExtend<Closeable & StatsSource<object>>();
  expectTypeOf<MemoryMonitor>().toExtend<Closeable & StatsSource<object>>();
  expectTypeOf<MemoryManager>().toExtend<Closeable & StatsSource<object>>();
  expectTypeOf<LeakDetector>().toExtend<Closeable & StatsSource<object>>();
  expectTypeOf<ReturnType<typeof observeGc>>().toExtend<Closeable & StatsSource<object>>();
  expectTypeOf<DoubleReleaseError>().toExtend<PerfError>();
});
