import { expectTypeOf, test } from 'vitest';
import {
  AdaptiveLimiter,
  Limiter,
  type LimiterLease,
  type TaskContext,
  WorkerPool,
  mapConcurrent,
  recommendedConcurrency,
  toShared,
} from '../src/index.ts';

test('results are typed', () => {
  const pool = new WorkerPool({ filename: 'file:///tasks.js' });
  expectTypeOf(pool.run(1)).toEqualTypeOf<Promise<unknown>>();
  expectTypeOf(pool.run<string>(1, { signal: undefined })).toEqualTypeOf<Promise<string>>();
  expectTypeOf(pool.map<number>([1])).toExtend<AsyncIterable<number>>();
  expectTypeOf(pool).toExtend<AsyncDisposable>();
});

test('what is shared can be given to mapRange, alone or in an object', () => {
  type Data = Parameters<WorkerPool['mapRange']>[0];
  const bytes = toShared(new Uint8Array(1));
  expectTypeOf(bytes).toEqualTypeOf<Uint8Array<SharedArrayBuffer>>();
  expectTypeOf(toShared(new BigUint64Array(1))).toEqualTypeOf<BigUint64Array<SharedArrayBuffer>>();
  expectTypeOf(bytes).toExtend<Data>();
  expectTypeOf({ bytes, factor: 2 }).toExtend<Data>();
});

test('limiters give back what the function does', () => {
  const limiter = new Limiter({ maxConcurrent: 1 });
  expectTypeOf(limiter.run(() => 'now')).toEqualTypeOf<Promise<string>>();
  expectTypeOf(limiter.run(async () => 'later')).toEqualTypeOf<Promise<string>>();
  expectTypeOf(limiter.acquire()).toEqualTypeOf<Promise<LimiterLease>>();
  expectTypeOf(limiter.wrap((_text: string, _times: number) => 1)).toEqualTypeOf<
    (text: string, times: number) => Promise<number>
  >();
  expectTypeOf(new AdaptiveLimiter().run(async () => 5)).toEqualTypeOf<Promise<number>>();
});

test('mapConcurrent knows items and results', () => {
  const results = mapConcurrent(
    new Set(['a']),
    async (item, { index, signal }) => {
      expectTypeOf(item).toEqualTypeOf<string>();
      expectTypeOf(index).toEqualTypeOf<number>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      return item.length;
    },
    { concurrency: 2 },
  );
  expectTypeOf(results).toExtend<AsyncIterable<number>>();
});

test('transfer keeps the type of the result', () => {
  const task = (_: unknown, { transfer }: TaskContext) => transfer(new Uint8Array(1), []);
  expectTypeOf(task).returns.toEqualTypeOf<Uint8Array<ArrayBuffer>>();
});

test('unknown options and kinds are errors', () => {
  // @ts-expect-error -- no such option
  void new WorkerPool({ filename: 'file:///tasks.js', maxThreads: 2 });
  // @ts-expect-error -- a pool needs a module
  void new WorkerPool({});
  // @ts-expect-error -- no such kind
  recommendedConcurrency('gpu');
});
