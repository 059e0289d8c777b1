import { describe, expect, test, vi } from 'vitest';
import {
  Batcher,
  type BatchItemError,
  type BulkAnswer,
  type BulkItem,
  batchItemFailures,
  bulkItems,
  byKey,
  successfulFailed,
  unprocessedItems,
} from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';

useFakeTime();

/** What each operation comes out with: its value or the reason of its rejection. */
async function settledOf<Op, R>(
  execute: ConstructorParameters<typeof Batcher<Op, R>>[0]['execute'],
  ops: readonly Op[],
  retry?: { attempts: number },
): Promise<unknown[]> {
  const batcher = new Batcher<Op, R>({ execute, retry });
  const outcomes = batcher.addMany(ops);
  await vi.runAllTimersAsync();
  return (await outcomes).map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as unknown)));
}

const wholeBatch = (message: string): unknown =>
  expect.objectContaining({
    code: 'PERF_BATCH_FAILED',
    outcomeUnknown: true,
    cause: expect.objectContaining({ message: expect.stringContaining(message) as string }) as unknown,
  });

describe('byKey', () => {
  const keyOf = (op: string): string => op;

  test('results come from a Map, in any order; equal keys share one, and others are ignored', async () => {
    const rows = new Map([
      ['c', 3],
      ['a', 1],
      ['x', 9],
    ]);
    expect(await settledOf(byKey({ execute: async () => rows, keyOf }), ['a', 'c', 'a'])).toEqual([1, 3, 1]);
  });

  test('or from an object, by its own properties', async () => {
    const execute = byKey<string, unknown>({ execute: () => ({ a: 1, b: undefined }), keyOf, missing: () => 'none' });
    expect(await settledOf(execute, ['a', 'b', 'constructor', '__proto__'])).toEqual([1, undefined, 'none', 'none']);
  });

  test('an Error fails its operation', async () => {
    const refused = new Error('refused');
    const execute = byKey<string, number>({ execute: () => new Map<string, number | Error>([['a', refused]]), keyOf });
    expect(await settledOf(execute, ['a'])).toEqual([refused]);
  });

  test('an operation whose key is missing fails with an unknown outcome, naming its place', async () => {
    const execute = byKey<string, number>({ execute: async () => new Map([['a', 1]]), keyOf });
    expect(await settledOf(execute, ['a', 'b'])).toEqual([
      1,
      expect.objectContaining({ code: 'PERF_BATCH_RESULT', message: expect.stringContaining('result 1') as string }),
    ]);
  });

  test('unless `missing` says what that means', async () => {
    const notFound = new Error('not found');
    const execute = byKey<string, number>({
      execute: async () => new Map(),
      keyOf,
      missing: (op) => (op === 'a' ? 0 : notFound),
    });
    expect(await settledOf(execute, ['a', 'b'])).toEqual([0, notFound]);
  });

  test('keys may be anything a Map takes', async () => {
    const execute = byKey<number, string, number>({
      execute: async (ops) => new Map(ops.map((op) => [op, `${op}`])),
      keyOf: (op) => op,
    });
    expect(await settledOf(execute, [2, 1])).toEqual(['2', '1']);
  });

  test.each([
    ['an array', ['x']],
    ['null', null],
    ['a number', 5],
    ['nothing', undefined],
  ])('%s fails the batch', async (_, answer) => {
    const execute = byKey<string, string>({ execute: () => answer as unknown as Record<string, string>, keyOf });
    expect(await settledOf(execute, ['0'])).toEqual([wholeBatch('must answer with a Map or an object')]);
  });
});

describe('batchItemFailures', () => {
  const failing = (answer: unknown, stream = false) =>
    batchItemFailures<string>({ execute: async () => answer as null, idOf: (op) => op, stream });
  const failed = (id: string, code = 'PERF_BATCH_ITEM_FAILED'): unknown =>
    expect.objectContaining({ name: 'BatchItemError', code, id, retryable: true });

  test.each<[string, unknown]>([
    ['an empty list', { batchItemFailures: [] }],
    ['a list of null', { batchItemFailures: null }],
    ['an empty answer', {}],
    ['null', null],
    ['nothing', undefined],
  ])('%s means that all have succeeded', async (_, answer) => {
    expect(await settledOf(failing(answer), ['a', 'b'])).toEqual([undefined, undefined]);
  });

  test('those named have failed, may be retried, and nothing else has', async () => {
    const answer = { batchItemFailures: [{ itemIdentifier: 'b' }, { itemIdentifier: 'b' }] };
    expect(await settledOf(failing(answer), ['a', 'b', 'c'])).toEqual([undefined, failed('b'), undefined]);
  });

  test.each<[string, unknown]>([
    ['an empty identifier', { batchItemFailures: [{ itemIdentifier: '' }] }],
    ['an identifier of null', { batchItemFailures: [{ itemIdentifier: 'a' }, { itemIdentifier: null }] }],
    ['an identifier under another name', { batchItemFailures: [{ id: 'a' }] }],
    ['an unknown identifier', { batchItemFailures: [{ itemIdentifier: 'z' }] }],
    ['a null item', { batchItemFailures: [null] }],
  ])('%s means that all have failed', async (_, answer) => {
    const error = wholeBatch('identifies no operation of the batch');
    expect(await settledOf(failing(answer), ['a', 'b'])).toEqual([error, error]);
  });

  test('so does a list that is none', async () => {
    expect(await settledOf(failing({ batchItemFailures: 'a' }), ['a'])).toEqual([wholeBatch('is no array')]);
  });

  test('of a stream, everything from the first failure on has failed', async () => {
    const answer = { batchItemFailures: [{ itemIdentifier: 'd' }, { itemIdentifier: 'b' }] };
    expect(await settledOf(failing(answer, true), ['a', 'b', 'c', 'd', 'e'])).toEqual([
      undefined,
      failed('b'),
      failed('c', 'PERF_BATCH_ITEM_UNPROCESSED'),
      failed('d'),
      failed('e', 'PERF_BATCH_ITEM_UNPROCESSED'),
    ]);
  });

  test('with retry those that failed are sent again, and no others', async () => {
    const calls: (readonly string[])[] = [];
    const execute = batchItemFailures<string>({
      execute: (ops) => {
        calls.push(ops);
        return calls.length === 1 ? { batchItemFailures: [{ itemIdentifier: 'b' }] } : null;
      },
      idOf: (op) => op,
    });
    expect(await settledOf(execute, ['a', 'b', 'c'], { attempts: 2 })).toEqual([undefined, undefined, undefined]);
    expect(calls).toEqual([['a', 'b', 'c'], ['b']]);
  });
});

describe('unprocessedItems', () => {
  interface Put {
    readonly table: string;
    readonly key: string;
  }
  interface Request {
    readonly PutRequest: { readonly Item: { readonly id: string } };
  }
  const requestOf = ({ key }: Put): Request => ({ PutRequest: { Item: { id: key } } });

  /** Takes `room` requests a call, as a table over its throughput. */
  function table(room: number) {
    const calls: string[][] = [];
    const execute = unprocessedItems<Put, Request>({
      execute: async (ops) => {
        calls.push(ops.map(({ key }) => key));
        const UnprocessedItems: Record<string, Request[]> = {};
        // In another order than they were sent.
        for (const op of ops.slice(room).toReversed()) (UnprocessedItems[op.table] ??= []).push(requestOf(op));
        return { UnprocessedItems };
      },
      idOf: (op) => `${op.table}/${op.key}`,
      idOfRequest: ({ PutRequest }, of) => `${of}/${PutRequest.Item.id}`,
    });
    return { calls, execute };
  }

  const puts = ['a', 'b', 'c', 'd', 'e'].map((key, index): Put => ({ table: index % 2 === 0 ? 'even' : 'odd', key }));

  test('what is left is sent again in the order of before, until it is done', async () => {
    const { calls, execute } = table(2);
    expect(await settledOf(execute, puts, { attempts: 3 })).toEqual(Array(5).fill(undefined));
    expect(calls).toEqual([['a', 'b', 'c', 'd', 'e'], ['c', 'd', 'e'], ['e']]);
  });

  test('without retry it fails, and the error has the request', async () => {
    const [, , , , last] = await settledOf(table(4).execute, puts);
    expect(last).toMatchObject({
      code: 'PERF_BATCH_ITEM_UNPROCESSED',
      id: 'even/e',
      retryable: true,
      cause: requestOf(puts[4]!),
      message: 'operation "even/e" was left unprocessed',
    });
  });

  test.each([[{}], [{ UnprocessedItems: {} }], [{ UnprocessedItems: null }], [{ UnprocessedItems: { even: [] } }]])(
    '%o leaves nothing',
    async (answer) => {
      const execute = unprocessedItems<Put, Request>({
        execute: () => answer,
        idOf: ({ key }) => key,
        idOfRequest: () => '',
      });
      expect(await settledOf(execute, puts)).toEqual(Array(5).fill(undefined));
    },
  );

  test('a request that is none of the batch fails it', async () => {
    const execute = unprocessedItems<Put, Request>({
      execute: () => ({ UnprocessedItems: { even: [requestOf({ table: 'even', key: 'z' })] } }),
      idOf: ({ key }) => key,
      idOfRequest: ({ PutRequest }) => PutRequest.Item.id,
    });
    const error = wholeBatch('"z" identifies no operation of the batch');
    expect(await settledOf(execute, puts.slice(0, 2))).toEqual([error, error]);
  });
});

describe('successfulFailed', () => {
  test('each operation has its own entry, whatever their order', async () => {
    const execute = successfulFailed<string, { Id: string; MessageId: string }>({
      execute: async (ops, ids) => ({
        Successful: ids
          .filter((_, index) => index !== 1 && index !== 2)
          .map((Id) => ({ Id, MessageId: `m-${ops[Number(Id)]}` }))
          .toReversed(),
        Failed: [
          { Id: ids[2]!, Code: 'InvalidMessageContents', Message: 'not allowed', SenderFault: true },
          { Id: ids[1]!, Code: 'InternalError', SenderFault: false },
        ],
      }),
    });
    expect(await settledOf(execute, ['a', 'b', 'c', 'd'])).toEqual([
      { Id: '0', MessageId: 'm-a' },
      expect.objectContaining({ code: 'PERF_BATCH_ITEM_FAILED', reason: 'InternalError', retryable: true }),
      expect.objectContaining({
        message: 'operation "2" failed: InvalidMessageContents: not allowed',
        reason: 'InvalidMessageContents',
        retryable: false,
      }),
      { Id: '3', MessageId: 'm-d' },
    ]);
  });

  test('an operation in neither list has an unknown outcome; entries of others are ignored', async () => {
    const execute = successfulFailed<string, { Id: string }>({
      execute: () => ({ Successful: [{ Id: '0' }, { Id: '7' }] }),
    });
    expect(await settledOf(execute, ['a', 'b'])).toEqual([
      { Id: '0' },
      expect.objectContaining({ code: 'PERF_BATCH_RESULT', outcomeUnknown: true }),
    ]);
  });

  test("only what is not the sender's fault is retried", async () => {
    const calls: (readonly string[])[] = [];
    const execute = successfulFailed<string, { Id: string }>({
      execute: (ops) => {
        calls.push(ops);
        if (calls.length > 1) return { Successful: [{ Id: '0' }] };
        return { Failed: [{ Id: '0', SenderFault: true }, { Id: '1' }] };
      },
    });
    const outcomes = await settledOf(execute, ['a', 'b'], { attempts: 3 });
    expect(calls).toEqual([['a', 'b'], ['b']]);
    expect(outcomes).toEqual([expect.objectContaining({ retryable: false }), { Id: '0' }]);
  });
});

describe('bulkItems', () => {
  const answering = (items: BulkAnswer<BulkItem>['items']) =>
    bulkItems<string, BulkItem>({ execute: async () => ({ items }) });

  test('each operation has its item, by place, and fails if that has an error', async () => {
    const outcomes = await settledOf(
      answering([
        { index: { _id: 'a', status: 201 } },
        { update: { _id: 'b', status: 409, error: { type: 'version_conflict_engine_exception', reason: 'newer' } } },
        { delete: { _id: 'c', status: 404 } },
        { create: { _id: 'd', status: 429, error: { type: 'es_rejected_execution_exception' } } },
        { create: { status: 503, error: 'unavailable' } },
      ]),
      ['a', 'b', 'c', 'd', 'e'],
    );
    expect(outcomes[0]).toEqual({ _id: 'a', status: 201 });
    // Nothing to delete is no failure.
    expect(outcomes[2]).toEqual({ _id: 'c', status: 404 });
    expect(outcomes[1]).toMatchObject({
      message: 'operation "b" failed: version_conflict_engine_exception: newer',
      reason: 'version_conflict_engine_exception',
      retryable: false,
    });
    expect(outcomes[3]).toMatchObject({ id: 'd', retryable: true });
    expect(outcomes[4]).toMatchObject({
      id: '4',
      reason: '503',
      retryable: true,
      message: expect.stringContaining('unavailable') as string,
    });
    expect((outcomes[4] as BatchItemError).cause).toMatchObject({ status: 503 });
  });

  test('too few items: every outcome is unknown', async () => {
    const error = expect.objectContaining({ code: 'PERF_BATCH_RESULT' }) as unknown;
    expect(await settledOf(answering([{ index: { status: 201 } }]), ['a', 'b'])).toEqual([error, error]);
  });

  test('an item without an action fails the batch', async () => {
    expect(await settledOf(answering([{}]), ['a'])).toEqual([wholeBatch('item 0 names no action')]);
  });
});

test.each<[() => unknown, string]>([
  [() => byKey({ keyOf: String } as never), '`execute` must be a function'],
  [() => byKey({ execute: () => ({}), keyOf: 1 } as never), '`keyOf` must be a function'],
  [() => byKey({ execute: () => ({}), keyOf: String, mising: 1 } as never), 'byKey has no option `mising`'],
  [() => batchItemFailures({ execute: () => {}, idOf: String, stream: 1 } as never), '`stream` must be a boolean'],
  [() => unprocessedItems({ execute: () => ({}), idOf: String } as never), '`idOfRequest` must be a function'],
  [() => successfulFailed({} as never), '`execute` must be a function'],
  [() => bulkItems(null as never), 'bulkItems takes an options object'],
])('options are checked: %s', (make, message) => {
  expect(make).toThrow(message);
});
