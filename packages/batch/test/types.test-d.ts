import type Original from 'dataloader';
import { expectTypeOf, test } from 'vitest';
import {
  BatchItemError,
  type BatchLoadFn,
  Batcher,
  type BatcherStats,
  type CloseReport,
  DataLoader,
  batchItemFailures,
  byKey,
  successfulFailed,
  type DataLoaderOptions,
  type DataLoaderStats,
} from '../src/index.ts';

interface Op {
  readonly id: number;
}

test('the result type is what execute gives, errors aside', async () => {
  const batcher = new Batcher({
    execute: async (ops: readonly Op[]) => ops.map(({ id }) => (id > 0 ? `${id}` : new Error('negative'))),
    groupBy: (op) => (op.id > 5 ? 'read' : 'write'),
    orderingKey: ({ id }) => id,
    retry: { isIdempotent: (op) => op.id > 1, isRetryable: (error: unknown) => error instanceof Error },
  });
  expectTypeOf(batcher).toEqualTypeOf<Batcher<Op, string>>();
  expectTypeOf(await batcher.add({ id: 1 })).toEqualTypeOf<string>();
  expectTypeOf(await batcher.addMany([{ id: 1 }])).toEqualTypeOf<PromiseSettledResult<string>[]>();
  expectTypeOf(batcher.stats()).toEqualTypeOf<BatcherStats>();
  expectTypeOf(await batcher.close()).toEqualTypeOf<CloseReport<Op>>();
  // @ts-expect-error an operation of another type
  void batcher.add({ id: 'one' });
});

test('options are checked', () => {
  const execute = async (ops: readonly Op[]): Promise<readonly string[]> => ops.map(({ id }) => `${id}`);
  // @ts-expect-error unknown option
  new Batcher({ execute, maxsize: 3 });
  // @ts-expect-error the array given to execute is frozen
  new Batcher({ execute: async (ops: Op[]) => ops });
  // @ts-expect-error one result per operation, in an array
  new Batcher({ execute: async (ops: readonly Op[]) => ops.length });
});

test('failures and sizes are for options, adapters give an execute', async () => {
  new Batcher({
    execute: async (ops: readonly Op[]) => ops,
    atomic: (error: unknown) => error instanceof Error,
    bisect: false,
    adaptive: { targetLatency: 5, isOverloaded: (error) => error === 429 },
    retry: { budget: { ratio: 0.2 }, retryAfter: (error) => (error instanceof Error ? 5 : undefined) },
  });
  new Batcher({ execute: async (ops: readonly Op[]) => ops, adaptive: true, retry: { budget: Infinity } });
  // @ts-expect-error unknown option
  new Batcher({ execute: async (ops: readonly Op[]) => ops, adaptive: { target: 5 } });
  const named = new Batcher({ execute: byKey({ execute: () => new Map([[1, 'one']]), keyOf: ({ id }: Op) => id }) });
  expectTypeOf(await named.add({ id: 1 })).toEqualTypeOf<string>();
  const sent = new Batcher({
    execute: successfulFailed({
      execute: async (_ops: readonly Op[], ids) => ({ Successful: [{ Id: ids[0], MessageId: 'm' }] }),
    }),
  });
  expectTypeOf((await sent.add({ id: 1 })).MessageId).toEqualTypeOf<string>();
  const done = new Batcher({
    execute: batchItemFailures({ execute: async () => null, idOf: ({ id }: Op) => `${id}` }),
  });
  expectTypeOf(await done.add({ id: 1 })).toEqualTypeOf<undefined>();
  expectTypeOf(
    new BatchItemError('PERF_BATCH_ITEM_FAILED', { id: '1', retryable: true }).retryable,
  ).toEqualTypeOf<boolean>();
});

test('a loader goes where one of the dataloader package went', async () => {
  const batch = async (keys: readonly number[]): Promise<(string | Error)[]> => keys.map(String);
  const loader = new DataLoader(batch, { cacheKeyFn: (key) => `${key}`, cacheMap: new Map<string, Promise<string>>() });
  expectTypeOf(loader).toEqualTypeOf<DataLoader<number, string, string>>();
  const usesOriginal = (original: Original<number, string, string>): unknown => original;
  usesOriginal(loader);
  expectTypeOf(await loader.load(1)).toEqualTypeOf<string>();
  expectTypeOf(await loader.loadMany([1])).toEqualTypeOf<(string | Error)[]>();
  expectTypeOf(await loader.load(1, { signal: AbortSignal.timeout(1) })).toEqualTypeOf<string>();
  expectTypeOf(await Promise.all([1].map(loader.load.bind(loader)))).toEqualTypeOf<string[]>();
  expectTypeOf(loader.stats()).toEqualTypeOf<DataLoaderStats>();
  expectTypeOf(loader.clear(1).clearAll().prime(1, 'one').prime(2, new Error('two'))).toEqualTypeOf(loader);
});

test('a class that extended the one of the dataloader package extends ours', async () => {
  class Logged<K> extends DataLoader<K, string> {
    override load(key: K): Promise<string> {
      return super.load(key);
    }
    override loadMany(keys: ArrayLike<K>): Promise<(string | Error)[]> {
      return super.loadMany(keys);
    }
    override prime(key: K, value: string | PromiseLike<string> | Error): this {
      return super.prime(key, value).clear(key).clearAll();
    }
  }
  const loader = new Logged<number>(async (keys) => keys.map(String));
  expectTypeOf(await loader.load(1)).toEqualTypeOf<string>();
  expectTypeOf<Parameters<typeof loader.load>>().toEqualTypeOf<[number]>();
  expectTypeOf<ReturnType<typeof loader.prime>>().toEqualTypeOf<Logged<number>>();
});

test('the types of the dataloader package go where ours are expected', () => {
  const batch: Original.BatchLoadFn<number, string> = async (keys) => keys.map(String);
  const options: Original.Options<number, string, number> = { cacheMap: new Map(), name: null };
  expectTypeOf(new DataLoader(batch, options)).toEqualTypeOf<DataLoader<number, string>>();
  expectTypeOf(options).toExtend<DataLoaderOptions<number, string>>();
  expectTypeOf(batch).toExtend<BatchLoadFn<number, string>>();
  new DataLoader<number, string>(async (keys, { signal }) => (signal.aborted ? [] : keys.map(String)), {
    cacheHits: 'immediate',
    errorTtl: 1_000,
  });
  // @ts-expect-error one of two words
  new DataLoader(batch, { cacheHits: 'soon' });
  // @ts-expect-error the keys are frozen
  new DataLoader<number, number>(async (keys) => keys.fill(0));
});
