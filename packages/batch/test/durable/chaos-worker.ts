import { durableWorker } from '../../src/bullmq.ts';
import { Ledger, type LedgerOp } from './ledger.ts';

const [url = '', ledgerUrl = ''] = process.argv.slice(2);
const ledger = new Ledger(ledgerUrl);

/** Executes operations until it is killed. */
const worker = durableWorker<LedgerOp, number>({
  name: 'chaos',
  connection: url,
  lockDuration: 1000,
  maxCrashes: 1000,
  retry: { attempts: 20, baseDelay: 2, maxDelay: 50, isRetryable: (_error, op) => !op.poison },
  execute: async (ops, { fence }) => {
    // At every point of a call a worker may die.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
    if (Math.random() < 0.02) throw new Error('the store is not to be reached');
    const good = ops.filter((op) => !op.poison && Math.random() > 0.02);
    const answers = await ledger.apply(good, fence);
    const answerOf = new Map(good.map((op, index) => [op, answers[index] as number | Error]));
    if (Math.random() < 0.02) throw new Error('the answer of the store was lost');
    return ops.map((op) => answerOf.get(op) ?? new Error(op.poison ? 'poison' : 'try again'));
  },
});
await worker.ready();
process.stdout.write('ready\n');
