import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { Batcher, type BatchContext } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';

useFakeTime();

const RESULT = 'PERF_BATCH_RESULT';

/** What becomes of three operations, and of one in the batch after. */
async function outcomesOf(execute: (ops: readonly string[], context: BatchContext) => unknown) {
  let first = true;
  const settled = vi.fn();
  const batcher = new Batcher<string, string>({
    execute: ((ops: readonly string[], context: BatchContext) => {
      if (!first) return ops;
      first = false;
      return execute(ops, context);
    }) as () => string[],
    maxSize: 3,
    concurrency: 1,
    timeout: 100,
  });
  const outcomes = Promise.allSettled(['a', 'b', 'c'].map((op) => batcher.add(op).finally(settled)));
  const next = batcher.add('d');
  await vi.runAllTimersAsync();
  expect(await next).toBe('d');
  expect(settled).toHaveBeenCalledTimes(3);
  expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0, groups: 0, batches: 2 });
  expect(vi.getTimerCount()).toBe(0);
  return (await outcomes).map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as unknown),
  );
}

const sparse = (): string[] => {
  const results: string[] = [];
  results[0] = 'a';
  results[2] = 'c';
  return results;
};

const saying = (code: string, message: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string });

test.each<[string, () => unknown, string]>([
  ['too few results', () => ['a', 'b'], 'must return 3 results, got 2'],
  ['too many results', () => ['a', 'b', 'c', 'd'], 'must return 3 results, got 4'],
  ['none', () => [], 'must return 3 results, got 0'],
  ['nothing', () => undefined, 'must return an array of 3 results, got undefined'],
  ['null', () => null, 'must return an array of 3 results, got null'],
  ['a string', () => 'abc', 'must return an array of 3 results, got a string'],
  ['an array-like', () => ({ 0: 'a', 1: 'b', 2: 'c', length: 3 }), 'got an object ([object Object])'],
  ['a Map', () => new Map([['a', 'a']]), 'got an object ([object Map])'],
  ['typed numbers', () => new Uint8Array(3), 'got an object ([object Uint8Array])'],
  [
    'an array that throws when read',
    () => new Proxy(['a', 'b', 'c'], { get: (_, key) => (key === 'then' ? undefined : raise('no')) }),
    'cannot be read',
  ],
])('%s: all reject, and say so', async (_, answer, message) => {
  const error = saying(RESULT, message);
  expect(await outcomesOf(answer)).toEqual([error, error, error]);
  expect(await outcomesOf(async () => answer())).toEqual([error, error, error]);
});

function raise(message: string): never {
  throw new Error(message);
}

test('a hole: the operation concerned rejects, by its index, and the others have their results', async () => {
  expect(await outcomesOf(sparse)).toEqual(['a', saying(RESULT, 'left out result 1'), 'c']);
});

test('undefined, null, 0 and "" are results', async () => {
  expect(await outcomesOf(() => [undefined, null, 0])).toEqual([undefined, null, 0]);
});

test('a promise inside, which would be waited for by nobody: the operation concerned rejects, and nothing is unhandled', async () => {
  const error = saying(RESULT, 'returned a promise as result 1');
  expect(await outcomesOf(() => ['a', Promise.reject(new Error('late')), 'c'])).toEqual(['a', error, 'c']);
  const broken = { then: () => raise('no') };
  expect(await outcomesOf(() => ['a', broken, 'c'])).toEqual(['a', error, 'c']);
  const thenable = { then: (resolve: (value: string) => void) => resolve('b') };
  expect(await outcomesOf(() => ['a', thenable, 'c'])).toEqual(['a', error, 'c']);
});

test('a result that throws when looked at concerns its operation alone', async () => {
  const trap = Object.defineProperty({}, 'then', { get: () => raise('no') });
  const error = saying(RESULT, 'something as result 1 that cannot be read');
  expect(await outcomesOf(() => ['a', trap, 'c'])).toEqual(['a', error, 'c']);
});

test('an Error fails its operation alone, one of another realm too', async () => {
  const foreign: unknown = runInNewContext('new TypeError("foreign")');
  expect(foreign).not.toBeInstanceOf(Error);
  const own = new Error('own');
  expect(await outcomesOf(() => [own, foreign, 'c'])).toEqual([own, foreign, 'c']);
});

test('an array of another realm is an array', async () => {
  expect(await outcomesOf(() => runInNewContext('["a", "b", "c"]'))).toEqual(['a', 'b', 'c']);
});

test.each<[string, () => unknown, unknown, string]>([
  ['a synchronous throw', () => raise('no'), new Error('no'), 'unknown outcome: no'],
  ['a rejection', () => Promise.reject(new Error('no')), new Error('no'), 'unknown outcome: no'],
  // oxlint-disable-next-line prefer-promise-reject-errors
  ['a rejection with undefined', () => Promise.reject(), undefined, 'unknown outcome: undefined'],
  // oxlint-disable-next-line prefer-promise-reject-errors
  ['one with an object without a prototype', () => Promise.reject(Object.create(null)), {}, 'unknown outcome: object'],
])('%s fails the batch', async (_, answer, cause, message) => {
  const outcomes = await outcomesOf(answer);
  expect(outcomes).toEqual(Array(3).fill(saying('PERF_BATCH_FAILED', message)));
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ outcomeUnknown: true, size: 3, attempt: 1, group: 'default' });
    expect((outcome as Error).cause).toEqual(cause);
  }
});

test('an answer that is no promise is as good as one, and a thenable too', async () => {
  expect(await outcomesOf((ops) => ops)).toEqual(['a', 'b', 'c']);
  expect(await outcomesOf((ops) => ({ then: (resolve: (value: unknown) => void) => resolve(ops) }))).toEqual([
    'a',
    'b',
    'c',
  ]);
});

test.each<[string, (ops: string[]) => unknown]>([
  ['sorts', (ops) => ops.sort().reverse()],
  ['splices', (ops) => ops.splice(0, 1)],
  ['overwrites', (ops) => (ops[0] = 'z')],
])('a batch function that %s its operations fails loudly, and nobody gets the result of another', async (_, change) => {
  const outcomes = await outcomesOf((ops) => {
    change(ops as string[]);
    return ops;
  });
  expect(outcomes).toEqual(Array(3).fill(saying('PERF_BATCH_FAILED', 'unknown outcome')));
  expect((outcomes[0] as Error).cause).toBeInstanceOf(TypeError);
});

test('changing the answer after it was given changes nothing', async () => {
  const answer = ['a', 'b', 'c'];
  const outcomes = outcomesOf(() => {
    setTimeout(() => answer.reverse(), 1);
    return answer;
  });
  expect(await outcomes).toEqual(['a', 'b', 'c']);
});

test('a batch that never settles times out, and what it answers later is dropped', async () => {
  let answer!: (results: string[]) => void;
  let aborted: unknown;
  const outcomes = await outcomesOf((_, { signal }) => {
    signal.addEventListener('abort', () => (aborted = signal.reason));
    return new Promise((resolve) => (answer = resolve));
  });
  expect(outcomes).toEqual(Array(3).fill(saying('PERF_BATCH_TIMEOUT', 'did not finish within 100 ms')));
  expect(aborted).toBe(outcomes[0]);
  answer(['late', 'late', 'late']);
});

test('nonsense is neither retried nor halved', async () => {
  let calls = 0;
  const batcher = new Batcher<number, number>({
    execute: async () => {
      calls++;
      return [];
    },
    atomic: true,
    retry: { isIdempotent: () => true },
  });
  const outcomes = batcher.addMany([1, 2]);
  await vi.runAllTimersAsync();
  expect(await outcomes).toMatchObject([{ reason: { code: RESULT } }, { reason: { code: RESULT } }]);
  expect(calls).toBe(1);
});

/** An error that throws whatever is asked of it. */
function hostile(): Error {
  const trap = (): never => raise('trap');
  return new Proxy(new Error('hostile'), { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap });
}

test.each([undefined, { targetLatency: 5 }])(
  'an error that throws when looked at holds up nothing (adaptive: %o)',
  async (adaptive) => {
    for (const atomic of [false, true]) {
      const batcher = new Batcher<string, string>({
        // oxlint-disable-next-line no-throw-literal
        execute: (ops) => {
          if (ops.includes('thrown')) throw hostile();
          return ops.map((op) => (op === 'returned' ? hostile() : op));
        },
        adaptive,
        atomic,
        retry: { isIdempotent: () => true, budget: { ratio: 0, burst: 4 } },
      });
      const outcomes = Promise.all(
        ['thrown', 'a'].map((op) =>
          batcher.add(op).then(
            () => 'ok',
            () => 'failed',
          ),
        ),
      );
      await vi.runAllTimersAsync();
      expect((await outcomes)[0]).toBe('failed');
      const returned = Promise.all(
        ['returned', 'b'].map((op) =>
          batcher.add(op).then(
            () => 'ok',
            () => 'failed',
          ),
        ),
      );
      await vi.runAllTimersAsync();
      expect((await returned)[0]).toBe('failed');
      expect(await batcher.add('c')).toBe('c');
      expect(batcher.stats()).toMatchObject({ pending: 0, inFlight: 0 });
    }
  },
);

test.each([Symbol('why'), Object.create(null), 42n])(
  'an error whose message is no string fails its batch like any other: %#',
  async (message) => {
    const cause = Object.assign(new Error('x'), { message });
    const outcomes = await outcomesOf(() => {
      throw cause;
    });
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 'PERF_BATCH_FAILED', cause });
  },
);
