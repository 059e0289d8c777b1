import { describe, expect, test } from 'vitest';
import { durableBatcher, durableWorker } from '../src/bullmq.ts';
import { type Op, TestQueue } from './durable/queue.ts';

const queue = new TestQueue();
const values = (ops: readonly Op[]): number[] => ops.map(({ value }) => value);

describe('options', () => {
  const good = { name: 'x', connection: 'redis://127.0.0.1:1', execute: values };
  test.each<[string, object]>([
    ['name', { name: '' }],
    ['name', { name: 'a:b' }],
    ['prefix', { prefix: '' }],
    ['partitions', { partitions: 0 }],
    ['onError', { onError: 1 }],
    ['maxSize', { maxSize: 5001 }],
    ['maxSize', { maxSize: Infinity }],
    ['connection', { connection: 1 }],
    ['connection', { connection: '' }],
    ['connection', { connection: [] }],
  ])('with a bad `%s` are refused: %o', (option, bad) => {
    const { execute, ...forBatcher } = { ...good, ...bad };
    expect(() => durableBatcher(forBatcher as never)).toThrow(option);
    expect(() => durableWorker({ ...forBatcher, execute } as never)).toThrow(option);
  });

  test.each<[string, object]>([
    ['orderingKey', { orderingKey: 'a' }],
    ['idempotencyKey', { idempotencyKey: 'a' }],
    ['maxBytes', { maxBytes: Infinity }],
    ['linger', { linger: 0 }],
    ['maxPending', { maxPending: -1 }],
    ['execute', {}],
  ])('of a batcher with a bad `%s` are refused: %o', (option, bad) => {
    const { execute, ...rest } = good;
    const options = option === 'execute' ? { ...rest, execute } : { ...rest, ...bad };
    expect(() => durableBatcher(options as never)).toThrow(option);
  });

  test.each<[string, object]>([
    ['execute', { execute: undefined }],
    ['groupBy', { groupBy: 1 }],
    ['maxPerKey', { maxPerKey: 0 }],
    ['retry.attempts', { retry: { attempts: 0 } }],
    ['retry.baseDelay', { retry: { baseDelay: -1 } }],
    ['retry.maxDelay', { retry: { maxDelay: Infinity } }],
    ['isIdempotent', { retry: { isIdempotent: () => true } }],
    ['timeout', { timeout: 0 }],
    ['resultTtl', { resultTtl: Infinity }],
    ['maxResultBytes', { maxResultBytes: 0 }],
    ['lockDuration', { lockDuration: 99 }],
    ['maxCrashes', { maxCrashes: 0 }],
    ['linger', { linger: 1 }],
  ])('of a worker with a bad `%s` are refused: %o', (option, bad) => {
    expect(() => durableWorker({ ...good, ...bad } as never)).toThrow(option);
  });

  test('of a call are checked', async () => {
    const batcher = queue.batcher({ orderingKey: ({ key }) => key });
    await expect(batcher.add({ value: 1 }, { timeout: 1 } as never)).rejects.toThrow(TypeError);
    await expect(batcher.add({ value: 1 }, { idempotencyKey: '' })).rejects.toThrow('idempotencyKey');
    await expect(batcher.add({ key: 1 as never, value: 1 })).rejects.toThrow('orderingKey');
    await expect(batcher.add({ value: 1 }, { signal: 1 as never })).rejects.toThrow('signal');
    await expect(batcher.add({ value: 1 }, { idempotencyKey: null as never })).rejects.toThrow('idempotencyKey');
    await expect(batcher.addMany([{ value: 1 }], { idempotencyKey: 'x' } as never)).rejects.toThrow('idempotencyKey');
    for (const method of ['result', 'replay', 'discard'] as const) {
      await expect(batcher[method]('')).rejects.toThrow('idempotencyKey');
      await expect(batcher[method]('x', { timeout: 1 } as never)).rejects.toThrow('timeout');
    }
    expect(() => batcher.progress('one')).toThrow('idempotencyKeys');
    expect(() => batcher.progress([1 as never])).toThrow('idempotencyKey');
    await expect(batcher.close({ timeout: 0 })).rejects.toThrow('timeout');
    await expect(queue.worker(values).close({ force: 1 as never })).rejects.toThrow('force');
  });

  test('with an `idempotencyKey` that has no answer, an operation is refused: it would be another each time it is added', async () => {
    const batcher = queue.batcher({ idempotencyKey: () => undefined as never });
    await expect(batcher.add({ value: 1 })).rejects.toThrow('idempotencyKey');
  });

  test('errors thrown by `onError` hurt nobody', async () => {
    queue.worker(values, {
      onError: () => {
        throw new Error('no');
      },
    });
    expect(await queue.batcher().add({ value: 1 })).toBe(1);
  });
});
