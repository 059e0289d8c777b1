import { Queue } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import {
  DurableClosedError,
  DurableConnectionError,
  DurablePartitionsError,
  durableBatcher,
  durableWorker,
} from '../src/bullmq.ts';
import { Child } from './durable/child.ts';
import { type Op, TestQueue, until } from './durable/queue.ts';

const queue = new TestQueue(['--appendonly', 'yes', '--appendfsync', 'always']);
const values = (ops: readonly Op[]): number[] => ops.map(({ value }) => value);

describe('a process that has closed ends', () => {
  const run = (mode: string): { child: Child; said: (line: string) => Promise<void> } => {
    const lines: string[] = [];
    const child = new Child('closing.ts', [queue.server.url, queue.name, mode], (line) => lines.push(line));
    return { child, said: (line) => until(() => lines.includes(line)) };
  };
  afterEach(() => Child.killAll());

  test('while Redis is well', async () => {
    const { child, said } = run('connect');
    await said('1');
    child.process.stdin?.write('close\n');
    expect(await child.finished()).toBe(true);
  });

  test('while Redis hangs', async () => {
    const { child, said } = run('connect');
    await said('1');
    queue.server.pause();
    try {
      child.process.stdin?.write('close\n');
      expect(await child.finished()).toBe(true);
    } finally {
      queue.server.resume();
    }
  });

  test('while Redis has never been there', async () => {
    await queue.server.kill();
    const { child, said } = run('wait');
    await said('started');
    child.process.stdin?.write('close\n');
    expect(await child.finished()).toBe(true);
    await queue.server.restart();
  });
});

describe('a connection', () => {
  test('that was given stays open, and is left as it was', async () => {
    const connection = new Redis(queue.server.url, { commandTimeout: 500, enableOfflineQueue: false });
    await until(() => connection.status === 'ready');
    const listeners = (): number => connection.listenerCount('error') + connection.listenerCount('ready');
    const before = listeners();
    const worker = queue.worker(values, { connection });
    const batcher = queue.batcher({ connection });
    expect(await batcher.add({ value: 1 })).toBe(1);
    await worker.close();
    await batcher.close();
    expect(await connection.ping()).toBe('PONG');
    expect(listeners()).toBe(before);
    connection.disconnect();
  });

  test('can be options too', async () => {
    const connection = { port: queue.server.port, host: '127.0.0.1' };
    queue.worker(values, { connection });
    expect(await queue.batcher({ connection }).add({ value: 1 })).toBe(1);
  });

  test('has none of the settings that would break a queue, wherever they come from', async () => {
    const harmful = { stringNumbers: true, maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: 1 };
    const query = new URLSearchParams({ stringNumbers: 'yes', maxRetriesPerRequest: '0', commandTimeout: '1' });
    for (const connection of [{ ...harmful, port: queue.server.port }, `${queue.server.url}?${query.toString()}`]) {
      const worker = queue.worker(values, { connection });
      expect(await queue.batcher({ connection }).add({ value: 1 })).toBe(1);
      await worker.close();
    }
  });

  test('that gives up is made anew all the same', async () => {
    const connection = new Redis(queue.server.url, { retryStrategy: () => null });
    connection.on('error', () => {});
    queue.worker(values, { connection });
    const batcher = queue.batcher({ connection });
    expect(await batcher.add({ value: 1 })).toBe(1);
    await queue.server.kill();
    await queue.server.restart();
    expect(await batcher.add({ value: 2 })).toBe(2);
    connection.disconnect();
  });

  test.each<[string, object]>([
    ['keyPrefix', new Redis({ keyPrefix: 'x:', lazyConnect: true })],
    ['keyPrefix', { keyPrefix: 'x:' }],
    ['Cluster', new Cluster([{ port: 1 }], { lazyConnect: true })],
  ])('that cannot be used is refused: %s', (word, connection) => {
    for (const make of [durableBatcher, durableWorker]) {
      const used = { name: 'x', connection, ...(make === durableWorker && { execute: values }) };
      expect(() => make(used as never)).toThrow(DurableConnectionError);
      expect(() => make(used as never)).toThrow(word);
    }
  });
});

describe('a queue', () => {
  test('has one number of partitions', async () => {
    await queue.batcher({ partitions: 4 }).ready();
    const other = queue.batcher({ partitions: 5 });
    await expect(other.ready()).rejects.toThrow(DurablePartitionsError);
    await expect(other.add({ value: 1 })).rejects.toMatchObject({ expected: 4, actual: 5 });
    await expect(queue.worker(values, { partitions: 5 }).ready()).rejects.toThrow(DurablePartitionsError);
  });

  test('that is closed takes nothing more; callers who wait are told that their operation is kept', async () => {
    const batcher = queue.batcher<number>({ linger: Infinity });
    const waiting = batcher.add({ value: 1 }, { idempotencyKey: 'kept' }).catch((error: unknown) => error);
    const progress = batcher.progress(['kept']);
    expect((await progress.next()).value).toEqual({ total: 1, succeeded: 0, failed: 0, pending: 1 });
    const next = progress.next().catch((error: unknown) => error);
    await batcher.close();
    expect(await waiting).toMatchObject({ code: 'PERF_BATCH_DURABLE_CLOSED', key: 'kept', durable: true });
    // It has not failed.
    expect(await next).toBeInstanceOf(DurableClosedError);
    await expect(batcher.add({ value: 2 })).rejects.toThrow(DurableClosedError);
    await expect(batcher.result('kept')).rejects.toThrow(DurableClosedError);
    await expect(batcher.stats()).rejects.toThrow(DurableClosedError);
    expect(batcher.closed).toBe(true);
    queue.worker(values);
    expect(await queue.batcher<number>().result('kept')).toBe(1);
  });

  test('drains when all results are there', async () => {
    queue.worker(values);
    await using batcher = queue.batcher<number>();
    const results: unknown[] = [];
    for (let value = 0; value < 10; value++) void batcher.add({ value }).then((result) => results.push(result));
    await batcher.drain();
    expect(results).toHaveLength(10);
  });

  test('refuses more than may wait here', async () => {
    const batcher = queue.batcher({ maxPending: 2, linger: Infinity });
    void batcher.enqueue({ value: 1 });
    void batcher.enqueue({ value: 2 });
    await expect(batcher.enqueue({ value: 3 })).rejects.toMatchObject({ code: 'PERF_BATCH_FULL', limit: 2 });
    await expect(batcher.add({ value: 3 })).rejects.toMatchObject({ code: 'PERF_BATCH_FULL' });
    await batcher.flush();
    await batcher.enqueue({ value: 3 }, { signal: AbortSignal.timeout(1) }).catch(() => {});
  });
});

describe('what others put into the queue', () => {
  test('jobs are set aside as failed, and the operations behind them executed', async () => {
    const connection = new Redis(queue.server.url, { maxRetriesPerRequest: null });
    const foreign = new Queue(`${queue.name}-0`, { connection });
    const bad = [
      { from: 'x', ops: [] },
      { from: 'x', ops: [null] },
      { ops: [{ i: 'a' }] },
      null,
      'text',
      { from: 'x', ops: [{}] },
    ];
    await foreign.addBulk([...bad.map((data) => ({ name: 'batch', data })), { name: 'mail', data: { from: 'x' } }]);
    const batcher = queue.batcher({ partitions: 1 });
    const keys = await Promise.all([1, 2, 3].map((value) => batcher.enqueue({ value })));
    queue.worker(values, { partitions: 1 });
    expect(await Promise.all(keys.map((key) => batcher.result(key)))).toEqual([1, 2, 3]);
    expect(await foreign.getFailedCount()).toBe(bad.length + 1);
    await foreign.close();
    connection.disconnect();
  });

  test('messages are reported, and hurt nobody', async () => {
    const errors: unknown[] = [];
    const admin = new Redis(queue.server.url);
    const batcher = queue.batcher({ onError: (error) => errors.push(error) });
    const waiting = batcher.add({ value: 1 });
    let channel: string | undefined;
    await until(async () => {
      [channel] = (await admin.pubsub('CHANNELS', `bull:${queue.name}:durable:replies:*`)) as string[];
      return channel !== undefined;
    });
    for (const text of ['no json', '[1]', '[["a"]]', 'null', '{}']) await admin.publish(channel as string, text);
    await until(() => errors.length >= 3);
    queue.worker(values);
    expect(await waiting).toBe(1);
    admin.disconnect();
  });
});
