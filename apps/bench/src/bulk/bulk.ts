import type { Report, ReportOptions } from '../reports.ts';
import { type Spread, spreadOf } from '../statistics.ts';
import {
  type MakeSender,
  type Workload,
  batcher,
  bottleneck,
  dataloader,
  elasticsearchBulk,
  oneByOne,
} from './contenders.ts';
import { PARALLEL, SlowStore } from './slow-store.ts';

const SIZES = [25, 50, 100, 200, 400, 800, 1_600] as const;
const MOST_ROUNDS = 5;

interface Row {
  readonly name: string;
  /** Operations a second. */
  readonly rate: Spread;
}

/** Does the work once with a fresh store, and says how many operations that were. */
type Attempt = (work: Workload) => Promise<number>;

/**
 * How much a store with a price for each call gets done, when the size of the batches is found by trying all of them, and when
 * nobody has set it.
 */
export const bulk: Report = {
  package: 'batch',
  run: async (options: ReportOptions): Promise<string> => {
    const rounds = options.smoke ? 1 : Math.min(options.rounds, MOST_ROUNDS);
    const scale = options.smoke ? 0.02 : 1;
    const works: [string, Workload][] = [
      ['20,000 operations at once', { operations: 20_000 * scale }],
      ['2,000 callers, 40,000 operations', { operations: 40_000 * scale, callers: 2_000 * scale }],
      ['200 callers, 10,000 operations', { operations: 10_000 * scale, callers: 200 * scale }],
    ];
    const tables: string[] = [];
    for (const [title, work] of works) {
      options.onProgress(`bulk: ${title}`);
      tables.push(toMarkdown(title, await measureAll(work, rounds), rounds));
    }
    return tables.join('\n');
  },
};

async function measureAll(work: Workload, rounds: number): Promise<Row[]> {
  const ours = '**@perf/batch, size found by itself**';
  const attempts = new Map<string, Attempt>([[ours, through(batcher())]]);
  for (const size of SIZES) attempts.set(`@perf/batch, \`maxSize: ${size}\``, through(batcher(size)));
  for (const size of SIZES) attempts.set(`dataloader, \`maxBatchSize: ${size}\``, through(dataloader(size)));
  for (const size of SIZES) attempts.set(`bottleneck's batcher, \`maxSize: ${size}\``, through(bottleneck(size)));
  // A tenth of the operations: it takes ten times as long for each.
  attempts.set('p-queue, no batches', (all) => through(oneByOne)({ ...all, operations: all.operations / 10 }));
  if (work.callers === undefined) {
    // About 30 bytes a document with its action.
    for (const size of SIZES)
      attempts.set(`Elasticsearch's bulk helper, \`flushBytes: ${size * 30}\``, elastic(size * 30));
  }
  const rates = new Map<string, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const [name, attempt] of attempts) {
      const start = performance.now();
      const operations = await attempt(work);
      const rate = (operations / (performance.now() - start)) * 1_000;
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), rate]);
    }
  }
  return best([...rates].map(([name, each]) => ({ name, rate: spreadOf(each) })));
}

/** Of each peer only its best size. */
function best(rows: readonly Row[]): Row[] {
  const kept = new Map<string, Row>();
  for (const row of rows) {
    const [peer = row.name] = row.name.split(', `');
    const other = kept.get(peer);
    if (other === undefined || other.rate.median < row.rate.median) kept.set(peer, row);
  }
  return [...kept.values()];
}

function through(make: MakeSender): Attempt {
  return async ({ operations, callers = operations }) => {
    const sender = make(new SlowStore());
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < operations) await sender.send(next++);
    };
    await Promise.all(Array.from({ length: callers }, caller));
    await sender.close?.();
    return operations;
  };
}

function elastic(flushBytes: number): Attempt {
  return async ({ operations }) => {
    const done = await elasticsearchBulk(new SlowStore(), operations, flushBytes);
    if (done !== operations) throw new Error(`the bulk helper has sent ${done} of ${operations} operations`);
    return operations;
  };
}

function toMarkdown(title: string, rows: readonly Row[], rounds: number): string {
  const base = rows.find(({ name }) => name.startsWith('@perf'))?.rate.median ?? NaN;
  const show = (rate: number): string => `${(rate / 1_000).toFixed(1)}`;
  const lines = rows.map(
    ({ name, rate }) =>
      `| ${name} | ${show(rate.median)} [${show(rate.lowerQuartile)}–${show(rate.upperQuartile)}] | ${((rate.median / base) * 100).toFixed(0)} % |`,
  );
  return [
    `**${title}, on a store of 1 ms a call and 0.1 ms an operation, ${PARALLEL} calls at a time**`,
    '',
    '| | thousand operations a second | of the best size |',
    '| --- | ---: | ---: |',
    ...lines,
    '',
    `Medians of ${rounds} rounds, quartiles in brackets; of each peer the best of ${SIZES.length} sizes (${SIZES.join(', ')}).`,
    '',
  ].join('\n');
}
