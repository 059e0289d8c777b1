import { durableBatcher, durableWorker } from '@perf/batch/bullmq';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';

/** A producer and a worker, connected. */
interface Open {
  /** Adds operations, and sums up their results. */
  run(operations: number): Promise<number>;
  close(): Promise<void>;
}

interface Contender {
  readonly name: string;
  /** @param queue a name nobody has used */
  readonly open: (url: string, queue: string) => Promise<Open>;
}

export const CONCURRENCY = 100;
const KEYS = 1_000;

interface Operation {
  readonly number: number;
}

export const CONTENDERS: readonly Contender[] = [
  { name: '**@perf/batch durable, no order**', open: (url, name) => ours({ url, name, orderingKey: () => undefined }) },
  {
    name: `@perf/batch durable, ${KEYS.toLocaleString('en')} ordering keys`,
    open: (url, name) => ours({ url, name, orderingKey: ({ number }) => String(number % KEYS) }),
  },
  { name: 'BullMQ, no order', open: bullmq },
];

async function ours(options: {
  readonly url: string;
  readonly name: string;
  readonly orderingKey: (op: Operation) => string | undefined;
}): Promise<Open> {
  const { url, name, orderingKey } = options;
  const worker = durableWorker<Operation, number>({
    name,
    connection: url,
    execute: (ops) => ops.map(({ number }) => number),
  });
  const batcher = durableBatcher<Operation, number>({ name, connection: url, orderingKey });
  await Promise.all([worker.ready(), batcher.ready()]);
  return {
    run: async (operations) => {
      const results = await Promise.all(Array.from({ length: operations }, (_, number) => batcher.add({ number })));
      return results.reduce((sum, result) => sum + result, 0);
    },
    close: async () => {
      await batcher.close();
      await worker.close();
    },
  };
}

async function bullmq(url: string, name: string): Promise<Open> {
  const connect = (): Redis => new Redis(url, { maxRetriesPerRequest: null });
  const connections = [connect(), connect(), connect()] as const;
  const queue = new Queue<Operation, number>(name, { connection: connections[0] });
  const worker = new Worker<Operation, number>(name, (job) => Promise.resolve(job.data.number), {
    connection: connections[1],
    concurrency: CONCURRENCY,
  });
  const events = new QueueEvents(name, { connection: connections[2] });
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady(), events.waitUntilReady()]);
  return {
    run: async (operations) => {
      const jobs = Array.from({ length: operations }, (_, number) => ({
        name: 'operation',
        data: { number },
        opts: { removeOnComplete: true },
      }));
      const all = Promise.withResolvers<number>();
      let sum = 0;
      let left = operations;
      events.on('completed', ({ returnvalue }) => {
        sum += Number(returnvalue);
        if (--left === 0) all.resolve(sum);
      });
      await queue.addBulk(jobs);
      return all.promise;
    },
    close: async () => {
      await Promise.all([queue.close(), worker.close(), events.close()]);
      for (const connection of connections) connection.disconnect();
    },
  };
}
