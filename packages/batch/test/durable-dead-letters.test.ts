import { describe, expect, test } from 'vitest';
import { TestQueue, until } from './durable/queue.ts';

const queue = new TestQueue();

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('dead letters', () => {
  test('are executed when they are replayed, and gone', async () => {
    let broken = true;
    queue.worker((ops) => ops.map(({ value }) => (broken ? new Error('down') : value)), { retry: { attempts: 1 } });
    const batcher = queue.batcher<number>();
    const ops = Array.from({ length: 250 }, (_, value) => ({ value }));
    await batcher.addMany(ops.map((op) => op));
    const keys = (await all(batcher.deadLetters())).map(({ key }) => key);
    expect(new Set(keys).size).toBe(250);
    broken = false;
    expect(await batcher.replay(keys[0] as string)).toBe(true);
    expect(typeof (await batcher.result(keys[0] as string))).toBe('number');
    expect(await batcher.replayAll()).toBe(249);
    const results = await Promise.all(keys.map((key) => batcher.result(key)));
    expect(results.sort((a, b) => a - b)).toEqual(ops.map(({ value }) => value));
    expect(await all(batcher.deadLetters())).toEqual([]);
    expect(await batcher.stats()).toMatchObject({ deadLetters: 0, succeeded: 250, failed: 250 });
    expect(await batcher.replay(keys[0] as string)).toBe(false);
  });

  test('are there again when they fail again', async () => {
    let calls = 0;
    queue.worker((ops) => ops.map(() => new Error(`call ${++calls}`)), { retry: { attempts: 1 } });
    const batcher = queue.batcher();
    await expect(batcher.add({ value: 1 }, { idempotencyKey: 'bad' })).rejects.toThrow('call 1');
    expect(await batcher.replay('bad')).toBe(true);
    await expect(batcher.result('bad')).rejects.toThrow('call 2');
    await until(async () => (await all(batcher.deadLetters())).length === 1);
    expect((await all(batcher.deadLetters()))[0]?.error.message).toBe('call 2');
  });

  test('are executed once when two replay them at once', async () => {
    let calls = 0;
    let broken = true;
    queue.worker(
      (ops) =>
        ops.map(() => {
          calls++;
          return broken ? new Error('down') : calls;
        }),
      { retry: { attempts: 1 } },
    );
    const [a, b] = [queue.batcher(), queue.batcher()];
    await expect(a.add({ value: 1 }, { idempotencyKey: 'bad' })).rejects.toThrow('down');
    broken = false;
    await Promise.all([a.replay('bad'), b.replay('bad')]);
    expect(await a.result('bad')).toBe(2);
    await until(async () => (await a.stats()).waiting + (await a.stats()).active === 0);
    expect(calls).toBe(2);
    expect(await all(a.deadLetters())).toEqual([]);
  });

  test('that are discarded are gone, and their key is free', async () => {
    let broken = true;
    queue.worker((ops) => ops.map(({ value }) => (broken ? new Error('down') : value)), { retry: { attempts: 1 } });
    const batcher = queue.batcher();
    const options = { idempotencyKey: 'bad' };
    await expect(batcher.add({ value: 1 }, options)).rejects.toThrow('down');
    expect(await batcher.discard('bad')).toBe(true);
    expect(await batcher.discard('bad')).toBe(false);
    expect(await all(batcher.deadLetters())).toEqual([]);
    broken = false;
    expect(await batcher.add({ value: 1 }, options)).toBe(1);
  });

  test('hold the operation as it was added, and so does each try, whatever a call does to it', async () => {
    const seen: number[] = [];
    queue.worker(
      (ops) =>
        ops.map((op) => {
          seen.push(op.value);
          (op as { value: number }).value += 100;
          return new Error('no');
        }),
      { retry: { attempts: 3, baseDelay: 1 } },
    );
    const batcher = queue.batcher();
    await expect(batcher.add({ value: 1 })).rejects.toThrow('no');
    expect(seen).toEqual([1, 1, 1]);
    expect((await all(batcher.deadLetters())).map(({ op }) => op)).toEqual([{ value: 1 }]);
  });

  test('hold no more of an error than can be read', async () => {
    queue.worker((ops) => ops.map(() => new Error('x'.repeat(1_000_000))), { retry: { attempts: 1 } });
    const batcher = queue.batcher();
    await expect(batcher.add({ value: 1 })).rejects.toThrow('x');
    const [letter] = await all(batcher.deadLetters());
    expect(letter?.error.message.length).toBeLessThan(20_000);
    expect(letter?.error.stack?.length).toBeLessThan(20_000);
  });
});
