import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { DurableClosedError } from '../src/bullmq.ts';
import { type Op, TestQueue, until } from './durable/queue.ts';

const queue = new TestQueue(['--appendonly', 'yes', '--appendfsync', 'always']);
const values = (ops: readonly Op[]): number[] => ops.map(({ value }) => value);

describe('Redis', () => {
  test('that is away at the start is waited for, by callers as long as they want', async () => {
    await queue.server.kill();
    const errors: unknown[] = [];
    const batcher = queue.batcher({ onError: (error) => errors.push(error) });
    const worker = queue.worker(values);
    const impatient = batcher.add({ value: 1 }, { signal: AbortSignal.timeout(20) });
    const patient = batcher.add({ value: 2 });
    await expect(impatient).rejects.toMatchObject({ name: 'TimeoutError' });
    await until(() => errors.length > 0);
    await queue.server.restart();
    expect(await patient).toBe(2);
    await Promise.all([batcher.ready(), worker.ready()]);
  });

  test('that is killed and comes back with its data has lost nothing', async () => {
    queue.worker(
      async (ops) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return values(ops);
      },
      { maxSize: 5 },
    );
    const batcher = queue.batcher<number>();
    const results: Promise<number>[] = [];
    for (let value = 0; value < 600; value++) {
      results.push(batcher.add({ key: `k${value % 7}`, value }));
      if (value % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      if (value % 200 === 100) await queue.server.restart();
    }
    expect(await Promise.all(results)).toEqual(results.map((_, value) => value));
  });

  test('that takes no writes for a while is asked again', async () => {
    const admin = new Redis(queue.server.url);
    const errors: Error[] = [];
    const onError = (error: unknown): number => errors.push(error as Error);
    const batcher = queue.batcher({ onError });
    await batcher.ready();
    await admin.config('SET', 'maxmemory', '1');
    const result = batcher.add({ value: 1 });
    await until(() => errors.some(({ message }) => message.includes('OOM')));
    await admin.config('SET', 'maxmemory', '0');
    queue.worker(values);
    expect(await result).toBe(1);
    admin.disconnect();
  });

  test('that is full is left alone by workers for a while, instead of asked as fast as it refuses', async () => {
    const admin = new Redis(queue.server.url);
    const refusals: unknown[] = [];
    const worker = queue.worker(values, { partitions: 1, onError: (error) => refusals.push(error) });
    const batcher = queue.batcher({ partitions: 1 });
    await worker.ready();
    await admin.config('SET', 'maxmemory', '1');
    const result = batcher.add({ value: 1 });
    await until(() => refusals.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(refusals.length).toBeLessThan(10);
    await admin.config('SET', 'maxmemory', '0');
    expect(await result).toBe(1);
    admin.disconnect();
  });

  test('that is emptied while all are connected keeps the order of what is added then, and gives no fence twice', async () => {
    const admin = new Redis(queue.server.url);
    const options = { partitions: 1, maxSize: 1 };
    const fences: number[] = [];
    let underWay = 0;
    let most = 0;
    const execute = async (ops: readonly Op[], { fence }: { fence: number }): Promise<number[]> => {
      fences.push(fence);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay--;
      return values(ops);
    };
    const batcher = queue.batcher(options);
    const workers = [queue.worker(execute, options), queue.worker(execute, options)];
    await Promise.all(workers.map((worker) => worker.ready()));
    await batcher.add({ key: 'a', value: 0 });
    await admin.flushall();
    await batcher.add({ key: 'a', value: 1 });
    most = 0;
    const ops = Array.from({ length: 20 }, (_, value) => ({ key: 'a', value }));
    expect(await Promise.all(ops.map((op) => batcher.add(op)))).toEqual(values(ops));
    expect(most).toBe(1);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
    admin.disconnect();
  });

  test('that was away all the time keeps no one who closes', async () => {
    await queue.server.kill();
    const batcher = queue.batcher();
    const worker = queue.worker(values);
    const left = batcher.add({ value: 1 }).catch((error: unknown) => error);
    await Promise.all([worker.close(), batcher.close({ timeout: 10 })]);
    expect(await left).toMatchObject({ code: 'PERF_BATCH_DURABLE_CLOSED', durable: false });
    await expect(worker.ready()).rejects.toThrow(DurableClosedError);
    await queue.server.restart();
  });

  test('that comes back empty is set up again', async () => {
    const admin = new Redis(queue.server.url);
    queue.worker(values);
    const batcher = queue.batcher();
    await batcher.add({ value: 1 });
    await admin.flushall();
    await queue.server.restart();
    await until(async () => (await admin.hget(`bull:${queue.name}-7:meta`, 'concurrency').catch(() => null)) === '1');
    expect(await batcher.add({ value: 2 })).toBe(2);
    admin.disconnect();
  });

  test('that hangs keeps nobody who aborts, and no one who closes', async () => {
    const batcher = queue.batcher();
    await batcher.ready();
    const worker = queue.worker(values);
    await worker.ready();
    queue.server.pause();
    try {
      const result = batcher.add({ value: 1 }, { signal: AbortSignal.timeout(20) });
      await expect(result).rejects.toMatchObject({ name: 'TimeoutError' });
      const signal = AbortSignal.timeout(20);
      const asked = await Promise.allSettled<unknown>([
        batcher.stats({ signal }),
        batcher.replay('x', { signal }),
        batcher.replayAll({ signal }),
        batcher.discard('x', { signal }),
        batcher.result('x', { signal }),
        batcher.deadLetters({ signal }).next(),
      ]);
      for (const each of asked) expect(each).toMatchObject({ status: 'rejected', reason: { name: 'TimeoutError' } });
      const left = batcher.add({ value: 2 }, { idempotencyKey: 'left' });
      const error = left.catch((reason: unknown) => reason);
      await Promise.all([batcher.close({ timeout: 10 }), worker.close({ timeout: 10 })]);
      expect(await error).toBeInstanceOf(DurableClosedError);
      expect(await error).toMatchObject({ code: 'PERF_BATCH_DURABLE_CLOSED', key: 'left', durable: false });
    } finally {
      queue.server.resume();
    }
  });
});
