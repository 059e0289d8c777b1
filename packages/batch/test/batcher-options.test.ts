import { expect, test } from 'vitest';
import { Batcher, type BatcherOptions } from '../src/index.ts';

const execute = async (ops: readonly number[]): Promise<readonly number[]> => ops;

test.each<[Record<string, unknown>, string]>([
  [{ execute: 1 }, '`execute` must be a function, got 1'],
  [{ maxSize: 0 }, '`maxSize` must be a positive integer or Infinity, got 0'],
  [{ maxSize: 1.5 }, '`maxSize` must be a positive integer or Infinity, got 1.5'],
  [{ maxBytes: 10 }, '`maxBytes` needs `sizeOf`'],
  [{ maxBytes: -1, sizeOf: () => 1 }, '`maxBytes` must be a positive integer, got -1'],
  [{ sizeOf: 3 }, '`sizeOf` must be a function, got 3'],
  [{ linger: 0 }, '`linger` must be a positive number of milliseconds or Infinity, got 0'],
  [{ concurrency: NaN }, '`concurrency` must be a positive integer or Infinity, got NaN'],
  [{ groupBy: 'kind' }, '`groupBy` must be a function, got "kind"'],
  [{ groupOrder: ['a', 'a'] }, '`groupOrder` must be an array of different strings'],
  [{ groupOrder: 'read' }, '`groupOrder` must be an array of different strings'],
  [{ orderingKey: null }, '`orderingKey` must be a function, got null'],
  [{ dedupeKey: {} }, '`dedupeKey` must be a function, got an object'],
  [{ maxPending: '9' }, '`maxPending` must be a positive integer or Infinity, got "9"'],
  [{ maxPendingBytes: 10 }, '`maxPendingBytes` needs `sizeOf`'],
  [{ maxPendingBytes: 0.5, sizeOf: () => 1 }, '`maxPendingBytes` must be a positive integer, got 0.5'],
  [{ whenFull: 'drop' }, "`whenFull` must be one of 'reject', 'wait', got \"drop\""],
  [{ order: 'fifo' }, "`order` must be one of 'key', 'strict', 'none', got \"fifo\""],
  [{ order: 'none', orderingKey: 1 }, '`orderingKey` must be a function, got 1'],
  [{ priority: 3 }, '`priority` must be a function, got 3'],
  [{ timeout: -5 }, '`timeout` must be a positive number of milliseconds or Infinity, got -5'],
  [{ name: '' }, '`name` must be a non-empty string, got ""'],
  [{ retry: true }, '`retry` takes an options object, got true'],
  [{ retry: { attempts: 0 } }, '`retry.attempts` must be a positive integer, got 0'],
  [{ retry: { baseDelay: -1 } }, '`retry.baseDelay` must be a number from 0 to 2147483647, got -1'],
  [{ retry: { maxDelay: Infinity } }, '`retry.maxDelay` must be a number from 0 to 2147483647, got Infinity'],
  [{ retry: { isRetryable: 1 } }, '`retry.isRetryable` must be a function, got 1'],
  [{ retry: { isIdempotent: 1 } }, '`retry.isIdempotent` must be a function, got 1'],
  [{ retry: { times: 3 } }, '`retry` has no option `times`'],
  [{ retry: { retryAfter: 5 } }, '`retry.retryAfter` must be a function, got 5'],
  [{ retry: { budget: -1 } }, '`retry.budget.ratio` must be a number from 0 to'],
  [{ retry: { budget: NaN } }, '`retry.budget.ratio` must be a number from 0 to'],
  [{ retry: { budget: true } }, '`retry.budget` takes an options object, got true'],
  [{ retry: { budget: { burst: -1 } } }, '`retry.budget.burst` must be a number from 0 to'],
  [{ retry: { budget: { bust: 1 } } }, '`retry.budget` has no option `bust`'],
  [{ atomic: 1 }, '`atomic` must be a function, got 1'],
  [{ bisect: 'yes' }, '`bisect` must be a function, got "yes"'],
  [{ adaptive: 5 }, '`adaptive` takes an options object, got 5'],
  [{ adaptive: null }, '`adaptive` takes an options object, got null'],
  [{ adaptive: { target: 5 } }, '`adaptive` has no option `target`'],
  [{ adaptive: { targetLatency: 0 } }, '`adaptive.targetLatency` must be a positive number of milliseconds'],
  [{ adaptive: { isOverloaded: true } }, '`adaptive.isOverloaded` must be a function, got true'],
  [{ maxsize: 3 }, 'Batcher has no option `maxsize`'],
])('%o is refused', (options, message) => {
  expect(() => new Batcher({ execute, ...options } as BatcherOptions<number, number>)).toThrow(message);
});

test('no options at all are refused', () => {
  expect(() => new Batcher(undefined as unknown as BatcherOptions<number, number>)).toThrow(
    'Batcher takes an options object',
  );
});

test('undefined means the default', async () => {
  const batcher = new Batcher({
    execute,
    maxSize: undefined,
    linger: undefined,
    retry: undefined,
    atomic: undefined,
    bisect: undefined,
    adaptive: undefined,
    groupOrder: undefined,
  });
  expect(await batcher.add(1)).toBe(1);
});

test('the options are read once', async () => {
  const groupOrder = ['b', 'a'];
  const sent: string[] = [];
  const batcher = new Batcher<string, string>({
    groupOrder,
    groupBy: (op) => op,
    execute: async (ops) => {
      sent.push(...ops);
      return ops;
    },
  });
  groupOrder.reverse();
  await batcher.addMany(['a', 'b']);
  expect(sent).toEqual(['b', 'a']);
});
