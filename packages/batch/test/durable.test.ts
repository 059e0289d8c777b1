import { describe, expect, test } from 'vitest';
import { DurableSerializationError, DurableTooLargeError } from '../src/bullmq.ts';
import { type Op, TestQueue, until } from './durable/queue.ts';

const queue = new TestQueue();
const double = (ops: readonly Op[]): number[] => ops.map(({ value }) => value * 2);

/** A promise and what settles it. */
const gate = (): PromiseWithResolvers<void> => Promise.withResolvers<void>();

describe('durable batcher', () => {
  test('gives each caller the result a worker came to', async () => {
    queue.worker(double);
    const batcher = queue.batcher<number>();
    const results = await batcher.addMany(Array.from({ length: 1000 }, (_, value) => ({ value })));
    expect(results).toEqual(results.map((_, value) => ({ status: 'fulfilled', value: value * 2 })));
  });

  test('keeps operations until there is a worker, and the result for who asks later', async () => {
    const early = queue.batcher<number>();
    const key = await early.enqueue({ value: 21 });
    await early.close();
    queue.worker(double);
    expect(await queue.batcher<number>().result(key)).toBe(42);
    expect(await queue.batcher<number>().result(key)).toBe(42);
  });

  test('knows every JSON value as a result, and none', async () => {
    const values = [null, 0, '', false, [], { a: [1, null] }, 'ünïcode \u0000', undefined];
    queue.worker((ops) => ops.map(({ value }) => values[value]));
    const results = await queue.batcher().addMany(values.map((_, value) => ({ value })));
    expect(results).toEqual(values.map((value) => ({ status: 'fulfilled', value })));
  });

  test('executes an operation once that is added again under its idempotency key, by whomever', async () => {
    let executed = 0;
    queue.worker((ops) => ops.map(() => ++executed));
    const [a, b] = [queue.batcher<number>(), queue.batcher<number>()];
    const options = { idempotencyKey: 'once' };
    const together = await Promise.all([a, b, a].map((each) => each.add({ value: 1 }, options)));
    expect(together).toEqual([1, 1, 1]);
    expect(await a.add({ value: 1 }, options)).toBe(1);
    expect(executed).toBe(1);
  });

  test('takes the idempotency key from the operation', async () => {
    const batcher = queue.batcher<number>({ idempotencyKey: (op) => `op-${op.value}` });
    expect(await batcher.enqueue({ value: 7 })).toBe('op-7');
    queue.worker(double);
    expect(await batcher.result('op-7')).toBe(14);
  });

  test('hands over idempotency keys, ordering keys, group, partition and a fence', async () => {
    const contexts: unknown[] = [];
    queue.worker(
      (ops, { signal, ...context }) => {
        contexts.push({ ...context, aborted: signal.aborted });
        return double(ops);
      },
      { groupBy: () => 'writes', partitions: 1 },
    );
    await queue.batcher({ partitions: 1 }).add({ key: 'a', value: 1 }, { idempotencyKey: 'one' });
    expect(contexts).toEqual([
      {
        idempotencyKeys: ['one'],
        orderingKeys: ['a'],
        group: 'writes',
        partition: 0,
        fence: expect.any(Number) as number,
        attempt: 1,
        aborted: false,
      },
    ]);
  });

  test('executes operations of one key in the order they were added, over batches and workers', async () => {
    const seen = new Map<string, number[]>();
    const execute = async (ops: readonly Op[]): Promise<number[]> => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      for (const { key = '', value } of ops) seen.set(key, [...(seen.get(key) ?? []), value]);
      return double(ops);
    };
    for (let index = 0; index < 3; index++) queue.worker(execute, { maxPerKey: 1 + index * 10 });
    const ops = Array.from({ length: 2000 }, (_, value) => ({ key: `k${value % 20}`, value }));
    await queue.batcher({ maxSize: 7 }).addMany(ops);
    expect(seen.size).toBe(20);
    for (const values of seen.values()) expect(values).toEqual([...values].sort((a, b) => a - b));
  });

  test('puts jobs that wait together into one batch', async () => {
    const batcher = queue.batcher<number>({ partitions: 1, maxSize: 10 });
    const keys = await Promise.all(Array.from({ length: 95 }, (_, value) => batcher.enqueue({ value })));
    expect((await batcher.stats()).partitions).toEqual([{ waiting: 95, active: 0, waitingJobs: 10 }]);
    const sizes: number[] = [];
    queue.worker(
      (ops) => {
        sizes.push(ops.length);
        return double(ops);
      },
      { partitions: 1, maxSize: 50 },
    );
    expect(await Promise.all(keys.map((key) => batcher.result(key)))).toEqual(keys.map((_, value) => value * 2));
    expect(sizes).toEqual([50, 45]);
    await until(async () => (await batcher.stats()).active === 0);
    expect(await batcher.stats()).toMatchObject({ waiting: 0, active: 0, succeeded: 95 });
  });

  test('sends what is added while a job is on its way in the next one', async () => {
    const batcher = queue.batcher({ partitions: 1 });
    await batcher.ready();
    await Promise.all(Array.from({ length: 300 }, (_, value) => batcher.enqueue({ value })));
    expect((await batcher.stats()).partitions).toEqual([{ waiting: 300, active: 0, waitingJobs: 3 }]);
  });

  test('groups operations, and has no batch of two groups', async () => {
    const groups: string[] = [];
    queue.worker(
      (ops, { group }) => {
        groups.push(`${group}: ${ops.map(({ value }) => value).join()}`);
        return double(ops);
      },
      { partitions: 1, groupBy: ({ value }) => (value % 2 === 0 ? 'even' : 'odd') },
    );
    await queue.batcher({ partitions: 1 }).addMany([1, 2, 3, 4].map((value) => ({ value })));
    expect(groups).toEqual(['odd: 1,3', 'even: 2,4']);
  });

  test('refuses operations that are no JSON or too large, and adds nothing of them', async () => {
    const batcher = queue.batcher({ maxBytes: 50, orderingKey: (op) => op?.key });
    const circular: { value: number; self?: unknown } = { value: 1 };
    circular.self = circular;
    const bad = [circular, { value: 1n as unknown as number }, undefined as unknown as Op];
    for (const op of bad) {
      await expect(batcher.add(op, { idempotencyKey: 'bad' })).rejects.toMatchObject({
        code: 'PERF_BATCH_DURABLE_SERIALIZATION',
        key: 'bad',
        part: 'operation',
      });
    }
    await expect(batcher.add({ key: 'x'.repeat(50), value: 1 })).rejects.toThrow(DurableTooLargeError);
    expect((await batcher.stats()).waiting).toBe(0);
  });

  test('takes an operation down as it was when it was added', async () => {
    queue.worker(double);
    const op = { value: 1 };
    const result = queue.batcher().add(op);
    op.value = 100;
    expect(await result).toBe(2);
  });

  test('says so when a result is no JSON: the operation has been executed', async () => {
    let executed = 0;
    queue.worker((ops) => ops.map(() => BigInt(++executed)));
    const batcher = queue.batcher();
    const lost = batcher.add({ value: 1 }, { idempotencyKey: 'big' });
    await expect(lost).rejects.toThrow(DurableSerializationError);
    await expect(lost).rejects.toMatchObject({ part: 'result', key: 'big' });
    expect(executed).toBe(1);
    expect(await batcher.stats()).toMatchObject({ succeeded: 1, deadLetters: 0 });
  });

  test('says so when a result is too large', async () => {
    queue.worker((ops) => ops.map(({ value }) => 'x'.repeat(value)), { maxResultBytes: 10 });
    const batcher = queue.batcher();
    expect(await batcher.add({ value: 8 })).toBe('xxxxxxxx');
    await expect(batcher.add({ value: 9 })).rejects.toMatchObject({ part: 'result' });
  });

  test('an aborted caller stops waiting; what has been sent is executed all the same', async () => {
    const open = gate();
    const executed: number[] = [];
    queue.worker(async (ops) => {
      await open.promise;
      executed.push(...ops.map(({ value }) => value));
      return double(ops);
    });
    const batcher = queue.batcher();
    const abort = new AbortController();
    const reason = new Error('enough');
    const result = batcher.add({ value: 1 }, { signal: abort.signal, idempotencyKey: 'sent' });
    await until(async () => (await batcher.stats()).active === 1);
    abort.abort(reason);
    await expect(result).rejects.toBe(reason);
    open.resolve();
    expect(await batcher.result('sent')).toBe(2);
    expect(executed).toEqual([1]);
  });

  test('an operation aborted before it was sent is not sent', async () => {
    const batcher = queue.batcher({ linger: Infinity });
    const abort = new AbortController();
    const gone = batcher.add({ value: 1 }, { signal: abort.signal });
    const kept = batcher.enqueue({ value: 2 });
    abort.abort(new Error('changed my mind'));
    await expect(gone).rejects.toThrow('changed my mind');
    await expect(batcher.add({ value: 3 }, { signal: abort.signal })).rejects.toThrow('changed my mind');
    await batcher.flush();
    await kept;
    expect((await batcher.stats()).waiting).toBe(1);
  });

  test('tells how far a set of operations is', async () => {
    const open = gate();
    queue.worker(
      async (ops) => {
        if (ops.some(({ value }) => value === 2)) await open.promise;
        return ops.map(({ value }) => (value === 1 ? new TypeError('no') : value));
      },
      { retry: { attempts: 1 }, maxSize: 1 },
    );
    const batcher = queue.batcher();
    const keys = await Promise.all([0, 1, 2].map((value) => batcher.enqueue({ value })));
    const steps: number[] = [];
    for await (const { total, succeeded, failed, pending } of batcher.progress(keys)) {
      expect(total).toBe(3);
      expect(succeeded + failed + pending).toBe(3);
      steps.push(pending);
      if (pending === 1) open.resolve();
      if (pending === 0) expect({ succeeded, failed }).toEqual({ succeeded: 2, failed: 1 });
    }
    expect(steps.at(-1)).toBe(0);
    expect(steps).toEqual([...steps].sort((a, b) => b - a));
  });
});
