import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mapConcurrent } from '../src/index.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

/** Numbers without end, from a source that never answers when it is closed. */
const unclosable = (): AsyncIterable<number> => {
  let item = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: item++ }),
      return: () => new Promise(() => {}),
    }),
  };
};

/** A source that knows how much was pulled, and how often it was closed. */
function source(length: number, pause?: () => Promise<unknown>) {
  const seen = { pulled: 0, closed: 0 };
  async function* slow(): AsyncGenerator<number> {
    try {
      for (let item = 0; item < length; item++) {
        await pause?.();
        seen.pulled++;
        yield item;
      }
    } finally {
      seen.closed++;
    }
  }
  function* fast(): Generator<number> {
    try {
      for (let item = 0; item < length; item++) {
        seen.pulled++;
        yield item;
      }
    } finally {
      seen.closed++;
    }
  }
  return { seen, items: pause === undefined ? fast() : slow() };
}

describe.each([
  ['a sync source', undefined],
  ['an async source', tick],
] as const)('from %s', (_, pause) => {
  test('yields in order whatever finishes first, undefined included', async () => {
    const { items } = source(20, pause);
    const fn = async (item: number): Promise<number | undefined> => {
      for (let turn = 0; turn < (item * 7) % 5; turn++) await tick();
      return item % 3 === 0 ? undefined : item;
    };
    const expected = Array.from({ length: 20 }, (__, item) => (item % 3 === 0 ? undefined : item));
    expect(await collect(mapConcurrent(items, fn, { concurrency: 4 }))).toEqual(expected);
  });

  test('yields as ready if order does not matter', async () => {
    const slow = Promise.withResolvers<void>();
    const { items } = source(4, pause);
    const results = mapConcurrent(items, (item) => (item === 0 ? slow.promise.then(() => item) : item), {
      concurrency: 2,
      ordered: false,
    });
    const order: (number | undefined)[] = [];
    for (let index = 0; index < 3; index++) order.push((await results.next()).value);
    slow.resolve();
    order.push((await results.next()).value);
    expect(order).toEqual([1, 2, 3, 0]);
    expect((await results.next()).done).toBe(true);
  });

  test('pulls nothing before the first result is asked for, and never more than it may hold', async () => {
    const { seen, items } = source(1_000_000_000, pause);
    let running = 0;
    let most = 0;
    const results = mapConcurrent(
      items,
      async (item) => {
        most = Math.max(most, ++running);
        for (let turn = 0; turn < 6; turn++) await tick();
        running--;
        return item;
      },
      { concurrency: 3 },
    );
    await tick();
    expect(seen.pulled).toBe(0);
    for (let taken = 1; taken <= 10; taken++) {
      await results.next();
      for (let turn = 0; turn < 20; turn++) await tick();
      expect(seen.pulled).toBeLessThanOrEqual(taken + 3);
    }
    expect(most).toBe(3);
    await results.return?.();
    expect(seen.closed).toBe(1);
  });

  test('an error comes after the results before it, stops the pulling, closes the source, waits for the rest', async () => {
    const { seen, items } = source(100, pause);
    let ended = 0;
    const got: number[] = [];
    const results = mapConcurrent(
      items,
      async (item, { signal }) => {
        if (item === 3) throw null;
        if (item > 3) {
          while (!signal.aborted) await tick();
          await tick();
          ended++;
          throw new Error('after the end');
        }
        return item;
      },
      { concurrency: 5 },
    );
    const failure = (async () => {
      for await (const result of results) got.push(result);
    })().then(
      () => 'no error',
      (error: unknown) => error,
    );
    expect(await failure).toBe(null);
    expect(got).toEqual([0, 1, 2]);
    expect(ended).toBe(seen.pulled - 4);
    expect(seen.pulled).toBeLessThanOrEqual(8);
    // A generator that was asked for an item answers that first.
    await expect.poll(() => seen.closed).toBe(1);
  });

  test('a consumer that leaves early waits for what runs, and the source is closed once', async () => {
    const { seen, items } = source(100, pause);
    let running = 0;
    for await (const result of mapConcurrent(
      items,
      async (item) => {
        running++;
        await tick();
        await tick();
        running--;
        return item;
      },
      { concurrency: 4 },
    )) {
      if (result === 2) break;
    }
    expect(running).toBe(0);
    expect(seen.closed).toBe(1);
  });

  test('an abort ends it at once, though nothing that runs heeds it', async () => {
    const { items } = source(100, pause);
    const controller = new AbortController();
    const results = mapConcurrent(items, () => new Promise(() => {}), {
      concurrency: 4,
      signal: controller.signal,
    });
    const next = results.next();
    await tick();
    controller.abort('now');
    await expect(next).rejects.toBe('now');
    expect(await results.next()).toEqual({ done: true, value: undefined });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});

test('an aborted signal starts nothing', async () => {
  const { seen, items } = source(3);
  const results = mapConcurrent(items, (item) => item, { concurrency: 1, signal: AbortSignal.abort('before') });
  await expect(collect(results)).rejects.toBe('before');
  expect(seen.pulled).toBe(0);
});

test('an error of the source comes after the results before it', async () => {
  function* broken(): Generator<number> {
    yield 1;
    yield 2;
    throw new RangeError('source');
  }
  const got: number[] = [];
  await expect(async () => {
    for await (const result of mapConcurrent(broken(), async (item) => item, { concurrency: 5 })) got.push(result);
  }).rejects.toThrow('source');
  expect(got).toEqual([1, 2]);
});

test('leaving does not wait for an item that never comes', async () => {
  let closed = 0;
  const items: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => {
      let item = 0;
      return {
        next: () => (item++ === 0 ? Promise.resolve({ done: false, value: 1 }) : new Promise(() => {})),
        return: () => {
          closed++;
          return new Promise(() => {});
        },
      };
    },
  };
  for await (const result of mapConcurrent(items, (item) => item, { concurrency: 2 })) {
    expect(result).toBe(1);
    break;
  }
  expect(closed).toBe(1);
});

test('an error of closing the source reaches a consumer that left, and hides no other error', async () => {
  const bad = (): Iterable<number> => ({
    [Symbol.iterator]: () => ({
      next: () => ({ done: false, value: 1 }),
      return: () => {
        throw new Error('closing');
      },
    }),
  });
  const leave = async (): Promise<void> => {
    for await (const result of mapConcurrent(bad(), (item) => item, { concurrency: 1 })) if (result === 1) break;
  };
  await expect(leave()).rejects.toThrow('closing');
  const fail = mapConcurrent(bad(), () => Promise.reject(new Error('call')), { concurrency: 1 });
  await expect(collect(fail)).rejects.toThrow('call');
});

test('each call knows its index, and runs in the async context of the call of mapConcurrent', async () => {
  const storage = new AsyncLocalStorage<string>();
  const results = storage.run('mine', () =>
    mapConcurrent(['a', 'b', 'c'], async (item, { index }) => `${item}${index}${storage.getStore()}`, {
      concurrency: 1,
    }),
  );
  expect(await storage.run('other', () => collect(results))).toEqual(['a0mine', 'b1mine', 'c2mine']);
});

test('a function that throws at once is a rejection like any other', async () => {
  const results = mapConcurrent(
    [1],
    (): number => {
      throw new RangeError('sync');
    },
    { concurrency: 1 },
  );
  await expect(collect(results)).rejects.toThrow('sync');
});

test.each<[string, () => unknown]>([
  ['`concurrency` must be a positive integer, got 0', () => mapConcurrent([], () => 1, { concurrency: 0 })],
  [
    '`items` must be an iterable or an async iterable, got number',
    () => mapConcurrent(5 as never, () => 1, { concurrency: 1 }),
  ],
  [
    '`signal` must be an AbortSignal, got null',
    () => mapConcurrent([], () => 1, { concurrency: 1, signal: null as never }),
  ],
  ['`fn` must be a function, got 3', () => mapConcurrent([], 3 as never, { concurrency: 1 })],
])('refuses bad arguments when it is called: %s', (message, call) => {
  expect(call).toThrow(message);
});

test('yields what a plain map would, at any concurrency and pace', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ value: fc.anything(), turns: fc.nat(3), sync: fc.boolean() }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      async (items, concurrency, ordered) => {
        let running = 0;
        const results = await collect(
          mapConcurrent(
            items,
            ({ value, turns, sync }) => {
              if (sync) return [value];
              running++;
              expect(running).toBeLessThanOrEqual(concurrency);
              return (async () => {
                for (let turn = 0; turn < turns; turn++) await Promise.resolve();
                running--;
                return [value];
              })();
            },
            { concurrency, ordered },
          ),
        );
        const expected = items.map(({ value }) => value);
        const got = results.map(([value]) => value);
        if (ordered) expect(got).toEqual(expected);
        else expect(new Set(got)).toEqual(new Set(expected));
        expect(got).toHaveLength(expected.length);
      },
    ),
    { numRuns: 200 },
  );
});

test('several who ask at once are answered in turn, and all of them at the end', async () => {
  const results = mapConcurrent([1, 2, 3], async (item) => item, { concurrency: 2 });
  const answers = await Promise.all(Array.from({ length: 5 }, () => results.next()));
  expect(answers.map(({ value }) => value)).toEqual([1, 2, 3, undefined, undefined]);
  expect(answers.map(({ done }) => done)).toEqual([false, false, false, true, true]);
});

test('an error is told to the first who asks, and the others get the end', async () => {
  const results = mapConcurrent([1], () => Promise.reject(new Error('no')), { concurrency: 1 });
  const [first, second] = await Promise.allSettled([results.next(), results.next()]);
  expect(first).toMatchObject({ status: 'rejected', reason: { message: 'no' } });
  expect(second).toEqual({ status: 'fulfilled', value: { done: true, value: undefined } });
});

test('an abort between two results is told once, to the next who asks', async () => {
  const controller = new AbortController();
  const { seen, items } = source(100);
  const results = mapConcurrent(items, (item) => item, { concurrency: 2, signal: controller.signal });
  await results.next();
  controller.abort('between');
  expect(seen.closed).toBe(1);
  await expect(results.next()).rejects.toBe('between');
  expect(await results.next()).toEqual({ done: true, value: undefined });
});

test('an abort ends the wait for calls that do not heed the end', async () => {
  const controller = new AbortController();
  const stubborn = (item: number): Promise<number> => (item === 0 ? Promise.resolve(0) : new Promise(() => {}));
  const options = { concurrency: 2, signal: controller.signal };
  const left = (async () => {
    for await (const _ of mapConcurrent([0, 1, 2], stubborn, options)) break;
    return 'left';
  })();
  await tick();
  controller.abort('enough');
  expect(await left).toBe('left');
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
});

test('is disposable: what was not taken is given up', async () => {
  const { seen, items } = source(100);
  {
    await using results = mapConcurrent(items, (item) => item, { concurrency: 3 });
    expect((await results.next()).value).toBe(0);
  }
  expect(seen.closed).toBe(1);
});

test('a source that cannot be opened, or is none, is a rejection', async () => {
  const broken = {
    [Symbol.iterator]: (): Iterator<number> => {
      throw new Error('closed shop');
    },
  };
  await expect(collect(mapConcurrent(broken, (item) => item, { concurrency: 1 }))).rejects.toThrow('closed shop');
  const odd = { [Symbol.iterator]: () => ({ next: () => 5 }) } as unknown as Iterable<number>;
  await expect(collect(mapConcurrent(odd, (item) => item, { concurrency: 1 }))).rejects.toThrow(TypeError);
});

test('a million items take no more memory or stack than a few', async () => {
  let sum = 0;
  function* many(): Generator<number> {
    for (let item = 0; item < 1_000_000; item++) yield item;
  }
  for await (const result of mapConcurrent(many(), (item) => item, { concurrency: 100 })) sum += result;
  expect(sum).toBe(499_999_500_000);
});

test('an abort ends the wait for a source that does not close', async () => {
  const controller = new AbortController();
  const left = mapConcurrent(unclosable(), (item) => item, { concurrency: 2, signal: controller.signal });
  expect(await left.next()).toEqual({ done: false, value: 0 });
  await tick();
  const failing = mapConcurrent(unclosable(), () => Promise.reject(new Error('first')), {
    concurrency: 1,
    signal: controller.signal,
  });
  const failed = failing.next().catch((error: unknown) => error);
  const returned = left.return?.();
  await tick();
  controller.abort();
  expect(await returned).toEqual({ done: true, value: undefined });
  expect(await failed).toEqual(new Error('first'));
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});
