import { durableBatcher, durableWorker } from '../../src/bullmq.ts';

const [connection = '', name = ''] = process.argv.slice(2);

/** Takes part in a queue, and closes at a word; then nothing may keep the process. */
const worker = durableWorker<number, number>({ name, connection, execute: (ops) => [...ops] });
const batcher = durableBatcher<number, number>({ name, connection });
process.stdout.write('started\n');
if (process.argv[4] === 'connect') process.stdout.write(`${await batcher.add(1)}\n`);
process.stdin.once('data', () => {
  process.stdin.destroy();
  void Promise.all([worker.close({ timeout: 50 }), batcher.close({ timeout: 50 })]);
});
