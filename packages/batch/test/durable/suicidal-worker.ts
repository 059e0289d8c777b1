import { durableWorker } from '../../src/bullmq.ts';

const [url = '', name = ''] = process.argv.slice(2);

/** Dies of the operation 13. */
durableWorker<{ readonly value: number }, number>({
  name,
  connection: url,
  partitions: 1,
  lockDuration: 200,
  maxCrashes: 3,
  execute: (ops) => {
    if (ops.some(({ value }) => value === 13)) process.kill(process.pid, 'SIGKILL');
    return ops.map(({ value }) => value);
  },
});
