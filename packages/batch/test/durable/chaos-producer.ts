import { durableBatcher } from '../../src/bullmq.ts';
import { type LedgerOp, idempotencyKeyOf } from './ledger.ts';

const [url = '', name = '', from = '0', to = '0'] = process.argv.slice(2);
const KEYS = 40;
const POISONED = 1000;

/**
 * Adds the operations from number `from` up to `to`, and tells how many of them, from the first on, are in Redis. One that is started after a kill begins with the first that
 * may not be.
 */
const batcher = durableBatcher<LedgerOp, number>({
  name: 'chaos',
  connection: url,
  orderingKey: (op) => op.key,
  idempotencyKey: idempotencyKeyOf,
});
let durable = Number(from);
const done = new Set<number>();
const all: Promise<void>[] = [];
for (let number = durable; number < Number(to); number++) {
  const op = { key: `${name}-${number % KEYS}`, seq: number, poison: number % POISONED === POISONED - 1 };
  all.push(
    batcher.enqueue(op).then(() => {
      done.add(number);
      while (done.delete(durable)) durable++;
      process.stdout.write(`${durable}\n`);
    }),
  );
  if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
}
await Promise.all(all);
await batcher.close();
