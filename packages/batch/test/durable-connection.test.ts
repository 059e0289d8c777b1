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
    await batcher.close();
    expect(await waiting).toMatchObject({ code: 'PERF_BATCH_DURABLE_CLOSED', key: 'kept', durable: true });
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
    await expect(batcher.result('')).rejects.toThrow('idempotencyKey');
    await expect(batcher.close({ timeout: 0 })).rejects.toThrow('timeout');
    await expect(queue.worker(values).close({ force: 1 as never })).rejects.toThrow('force');
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
