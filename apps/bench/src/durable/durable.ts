import { startRedis } from '@perf/testkit';
import type { Report, ReportOptions } from '../reports.ts';
import { type Spread, spreadOf } from '../statistics.ts';
import { CONCURRENCY, CONTENDERS } from './contenders.ts';

const MOST_ROUNDS = 5;
const OPERATIONS = 10_000;

interface Row {
  readonly name: string;
  /** Operations a second, from being added to their result. */
  readonly rate: Spread;
}

/** How fast operations get through Redis: added, executed by a worker that has nothing to do, and their results back. */
export const durable: Report = {
  package: 'batch',
  run: async (options: ReportOptions): Promise<string> => {
    const rounds = options.smoke ? 1 : Math.min(options.rounds, MOST_ROUNDS);
    const operations = options.smoke ? 100 : OPERATIONS;
    const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'everysec']);
    try {
      const rates = new Map<string, number[]>();
      for (let round = -1; round < rounds; round++) {
        for (const [index, { name, open }] of CONTENDERS.entries()) {
          options.onProgress(`durable: ${name}`);
          const contender = await open(server.url, `bench-${round + 1}-${index}`);
          const start = performance.now();
          const sum = await contender.run(operations);
          const rate = (operations / (performance.now() - start)) * 1_000;
          await contender.close();
          if (sum !== (operations * (operations - 1)) / 2) throw new Error(`${name} answered something else`);
          if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), rate]);
        }
      }
      return toMarkdown(
        [...rates].map(([name, each]) => ({ name, rate: spreadOf(each) })),
        { operations, rounds },
      );
    } finally {
      await server.stop();
    }
  },
};

function toMarkdown(
  rows: readonly Row[],
  { operations, rounds }: { readonly operations: number; readonly rounds: number },
): string {
  const base = rows[0]?.rate.median ?? NaN;
  const show = (rate: number): string => `${(rate / 1_000).toFixed(1)}`;
  const lines = rows.map(
    ({ name, rate }) =>
      `| ${name} | ${show(rate.median)} [${show(rate.lowerQuartile)}–${show(rate.upperQuartile)}] | ${(rate.median / base).toFixed(2)}× |`,
  );
  return [
    `**${operations.toLocaleString('en')} operations at once, from being added to their results, through one Redis**`,
    '',
    '| | thousand operations a second | of ours |',
    '| --- | ---: | ---: |',
    ...lines,
    '',
    `Medians of ${rounds} rounds, quartiles in brackets. Producer and worker in one process, Redis on the same machine with \`appendfsync everysec\`, operations that cost nothing. BullMQ with a job for each operation,`,
    `\`addBulk\`, one worker with \`concurrency: ${CONCURRENCY}\`, results from \`QueueEvents\`; it keeps no order once something fails, and knows nothing of idempotency keys.`,
    '',
  ].join('\n');
}
