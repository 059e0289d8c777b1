import { expectTypeOf, test } from 'vitest';
import {
  type DeadLetter,
  type DurableBatcher,
  type DurableWorker,
  durableBatcher,
  durableWorker,
} from '../src/bullmq.ts';

interface Op {
  readonly id: string;
}

const name = 'typed';
const connection = 'redis://127.0.0.1:6379';

test('operations and results have types', async () => {
  const batcher = durableBatcher<Op, number>({ name, connection, orderingKey: ({ id }) => id });
  expectTypeOf(batcher).toEqualTypeOf<DurableBatcher<Op, number>>();
  expectTypeOf(batcher.add({ id: 'a' })).toEqualTypeOf<Promise<number>>();
  expectTypeOf(batcher.enqueue({ id: 'a' })).toEqualTypeOf<Promise<string>>();
  expectTypeOf(batcher.addMany([{ id: 'a' }])).toEqualTypeOf<Promise<PromiseSettledResult<number>[]>>();
  expectTypeOf(batcher.result('a')).toEqualTypeOf<Promise<number>>();
  for await (const letter of batcher.deadLetters()) expectTypeOf(letter).toEqualTypeOf<DeadLetter<Op>>();
  // @ts-expect-error an operation of another type
  void batcher.add({ id: 1 });
  // @ts-expect-error an ordering key that is no string
  durableBatcher<Op>({ name, connection, orderingKey: () => 1 });
});

test('a worker has the types of execute', () => {
  const worker = durableWorker({
    name,
    connection,
    execute: (ops: readonly Op[], { fence, idempotencyKeys }) =>
      ops.map(({ id }, index) => (idempotencyKeys[index] === id ? fence : new Error('no'))),
    groupBy: (op) => op.id,
    retry: { isRetryable: (_error, op) => op.id !== '' },
  });
  expectTypeOf(worker).toEqualTypeOf<DurableWorker<Op, number>>();
  // @ts-expect-error unknown option
  durableWorker({ name, connection, execute: (ops: readonly Op[]) => ops, concurrency: 3 });
});
