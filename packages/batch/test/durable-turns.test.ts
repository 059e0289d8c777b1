import { Redis } from 'ioredis';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { DurableLockLostError } from '../src/bullmq.ts';
import { Child } from './durable/child.ts';
import { type Op, TestQueue, until } from './durable/queue.ts';

const queue = new TestQueue();
afterAll(() => Child.killAll());
const ONE = { partitions: 1 } as const;
const values = (ops: readonly Op[]): number[] => ops.map(({ value }) => value);

/** Takes the lock of the active job away, as time would from a process that stands still. */
async function loseLock(): Promise<void> {
  const redis = new Redis(queue.server.url);
  const [job] = await redis.lrange(`bull:${queue.name}-0:active`, 0, -1);
  expect(await redis.del(`bull:${queue.name}-0:${job}:lock`)).toBe(1);
  redis.disconnect();
}

describe('a worker that loses its turn', () => {
  test('is told, another one takes over, and what the first still answers counts for nothing', async () => {
    const reason = Promise.withResolvers<unknown>();
    const late = Promise.withResolvers<void>();
    const fences: number[] = [];
    const calls: number[][] = [];
    queue.worker(async (ops, { signal, fence }) => {
      fences.push(fence);
      calls.push(values(ops));
      if (fences.length > 1) return ops.map(() => 'second');
      signal.addEventListener('abort', () => reason.resolve(signal.reason));
      await late.promise;
      return ops.map(() => 'first');
    }, ONE);
    const batcher = queue.batcher(ONE);
    const results = batcher.addMany([1, 2].map((value) => ({ key: 'a', value })));
    await until(() => fences.length === 1);
    await loseLock();
    expect(await reason.promise).toBeInstanceOf(DurableLockLostError);
    // It is in nobody's way meanwhile.
    expect(await results).toEqual([1, 2].map(() => ({ status: 'fulfilled', value: 'second' })));
    late.resolve();
    const [first = 0, second = 0, third] = fences;
    expect(second).toBeGreaterThan(first);
    expect(third).toBe(second);
    expect(calls).toEqual([[1], [1], [2]]);
    await until(async () => (await batcher.stats()).active === 0);
  });

  test('before it has begun does not begin', async () => {
    const connection = new Redis(queue.server.url);
    const send = connection.evalsha.bind(connection) as (...args: unknown[]) => Promise<unknown>;
    let lost = false;
    // As if it had stood still between taking the job and its turn.
    vi.spyOn(Redis.prototype, 'evalsha').mockImplementation(async (...args: unknown[]) => {
      if (!lost && String(args[2]).endsWith(':lock')) {
        lost = true;
        await loseLock();
      }
      return send(...args);
    });
    const locks: number[] = [];
    queue.worker(async (ops) => {
      const [job] = await connection.lrange(`bull:${queue.name}-0:active`, 0, -1);
      locks.push(await connection.exists(`bull:${queue.name}-0:${job}:lock`));
      return values(ops);
    }, ONE);
    expect(await queue.batcher(ONE).add({ value: 1 })).toBe(1);
    expect(lost).toBe(true);
    // Its fence would be higher than that of whoever had taken over.
    expect(locks).toEqual([1]);
    vi.restoreAllMocks();
    connection.disconnect();
  });

  test('before its results are recorded leaves them to whoever takes over', async () => {
    const errors: unknown[] = [];
    let calls = 0;
    queue.worker(
      async (ops) => {
        calls++;
        if (calls === 1) {
          const redis = new Redis(queue.server.url);
          // As if another one had taken a turn since.
          await redis.incr(`bull:${queue.name}:durable:fence:0`);
          redis.disconnect();
          await loseLock();
        }
        return ops.map(() => calls);
      },
      { ...ONE, onError: (error) => errors.push(error) },
    );
    const batcher = queue.batcher(ONE);
    expect(await batcher.add({ value: 1 })).toBe(2);
    expect(await batcher.stats()).toMatchObject({ succeeded: 1 });
    expect(errors.length).toBeGreaterThan(0);
  });

  test('by an operation that kills it loses only that one, in the end', async () => {
    const batcher = queue.batcher<number>(ONE);
    const keys = await Promise.all([11, 12, 13, 14].map((value) => batcher.enqueue({ value })));
    let over = false;
    const workers = (async (): Promise<number> => {
      let deaths = 0;
      while (!over) {
        const child = new Child('suicidal-worker.ts', [queue.server.url, queue.name]);
        const done = Promise.allSettled(keys.map((key) => batcher.result(key))).then(() => child.kill());
        await Promise.race([child.ended, done]);
        if (child.process.signalCode === 'SIGKILL' && !over) deaths++;
      }
      return deaths;
    })();
    const results = await Promise.allSettled(keys.map((key) => batcher.result(key)));
    over = true;
    await workers;
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(results[2]).toMatchObject({ reason: { cause: { code: 'PERF_BATCH_DURABLE_CRASHED' } } });
  });
});

describe('a worker whose connection breaks while it takes a job', () => {
  test('gives the job back that it does not know to be its own', async () => {
    const entered = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const redis = new Redis(queue.server.url);
    const base = `bull:${queue.name}-0`;
    queue.worker(
      async (ops) => {
        entered.resolve();
        await open.promise;
        return values(ops);
      },
      // Nobody is taken for dead within the time of the test.
      { ...ONE, lockDuration: 600_000 },
    );
    const batcher = queue.batcher(ONE);
    const first = batcher.add({ value: 1 });
    await entered.promise;
    const key = await batcher.enqueue({ value: 2 });
    const token = String(await redis.get(`${base}:${await redis.lindex(`${base}:active`, 0)}:lock`));
    // As if Redis had given it the next job, and the answer had been lost.
    const orphan = await redis.lmove(`${base}:wait`, `${base}:active`, 'RIGHT', 'LEFT');
    await redis.set(`${base}:${orphan}:lock`, token.replace(/\d+$/, '999'), 'PX', 600_000);
    open.resolve();
    expect(await first).toBe(1);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    expect(await batcher.result(key)).toBe(2);
    redis.disconnect();
  });
});

describe('a worker that closes', () => {
  test('ends its call, and leaves the rest to the next one at once and in order', async () => {
    const done: number[] = [];
    const entered = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const options = { ...ONE, maxSize: 1, lockDuration: 600_000 };
    const first = queue.worker(async (ops) => {
      entered.resolve();
      await open.promise;
      done.push(...values(ops));
      return values(ops);
    }, options);
    const batcher = queue.batcher(ONE);
    const results = batcher.addMany([1, 2, 3].map((value) => ({ key: 'a', value })));
    await entered.promise;
    const more = batcher.add({ key: 'a', value: 4 });
    const closed = first.close();
    expect(first.closed).toBe(true);
    open.resolve();
    await closed;
    expect(done).toEqual([1]);
    queue.worker((ops) => {
      done.push(...values(ops));
      return values(ops);
    }, options);
    await Promise.all([results, more]);
    expect(done).toEqual([1, 2, 3, 4]);
  });

  test('by force abandons its call, and another one executes the operation again', async () => {
    const entered = Promise.withResolvers<AbortSignal>();
    const options = { ...ONE, lockDuration: 600_000 };
    const first = queue.worker((_, { signal }) => {
      entered.resolve(signal);
      return new Promise<number[]>(() => {});
    }, options);
    const batcher = queue.batcher(ONE);
    const result = batcher.add({ value: 1 });
    const signal = await entered.promise;
    const closed = first.close();
    await first.close({ timeout: 1 });
    await closed;
    expect(signal.reason).toMatchObject({ code: 'PERF_BATCH_DURABLE_CLOSED' });
    queue.worker(values, options);
    expect(await result).toBe(1);
  });

  test('by force does not count as one that died of its operation', async () => {
    const options = { ...ONE, lockDuration: 600_000, maxCrashes: 1 };
    const batcher = queue.batcher(ONE);
    const result = batcher.add({ value: 1 });
    for (let round = 0; round < 3; round++) {
      const entered = Promise.withResolvers<void>();
      const worker = queue.worker(() => {
        entered.resolve();
        return new Promise<number[]>(() => {});
      }, options);
      await entered.promise;
      await worker.close({ force: true });
    }
    queue.worker(values, options);
    expect(await result).toBe(1);
  });

  test('does so while it waits to try an operation again', async () => {
    const failed = Promise.withResolvers<void>();
    const options = { ...ONE, lockDuration: 600_000 };
    const retry = { baseDelay: 2 ** 31 - 1, maxDelay: 2 ** 31 - 1 };
    const first = queue.worker<number>(
      (ops) => {
        failed.resolve();
        return ops.map(() => new Error('not yet'));
      },
      { ...options, retry },
    );
    const batcher = queue.batcher(ONE);
    const result = batcher.add({ value: 1 });
    await failed.promise;
    await first.close();
    queue.worker(values, options);
    expect(await result).toBe(1);
  });
});
