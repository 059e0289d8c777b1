import { setTimeout as sleep } from 'node:timers/promises';
import { type AnyPool, OURS, POOLS, type Resource } from '../conn-pools/contenders.ts';
import type { Report, ReportOptions } from '../reports.ts';
import { type Spread, spreadOf } from '../statistics.ts';

const IDLE = 5;
const REQUESTS = 50;
const HOLD = 2;
const CREATE = 150;
const MOST_ROUNDS = 10;

interface Row {
  readonly name: string;
  /** Milliseconds until the last request was done. */
  readonly time: Spread;
  /** Connections opened because of the spike, by round. */
  readonly opened: readonly number[];
}

/**
 * Few connections, many short requests at once, and a create that takes far longer than the requests: opening a connection for each of
 * them serves nobody. After HikariCP's "Welcome to the Jungle", with its numbers.
 */
export const spike: Report = {
  package: 'conn-pool',
  run: async (options: ReportOptions): Promise<string> => {
    const rounds = options.smoke ? 1 : Math.min(options.rounds, MOST_ROUNDS);
    const rows: Row[] = [];
    for (const name of Object.keys(POOLS)) {
      options.onProgress(`spike: ${name}`);
      rows.push(await measure(name, rounds));
    }
    return toMarkdown(rows, rounds);
  },
};

async function measure(name: string, rounds: number): Promise<Row> {
  const times: number[] = [];
  const opened: number[] = [];
  for (let round = 0; round < rounds; round++) {
    let created = 0;
    let slow = false;
    const create = async (): Promise<Resource> => {
      created++;
      if (slow) await sleep(CREATE);
      return { uses: 0 };
    };
    const pool = POOLS[name]?.({ max: REQUESTS, min: 0, acquireTimeout: 30_000, create });
    if (pool === undefined) throw new Error(`there is no pool "${name}"`);
    await Promise.all(Array.from({ length: IDLE }, () => request(pool)));
    const before = created;
    slow = true;
    const start = performance.now();
    await Promise.all(Array.from({ length: REQUESTS }, () => request(pool)));
    times.push(performance.now() - start);
    // What was begun is opened in the end: nobody can take a create back.
    await sleep(CREATE * 2);
    opened.push(created - before);
    await pool.close();
  }
  return { name, time: spreadOf(times), opened };
}

async function request(pool: AnyPool): Promise<void> {
  const held = await pool.acquire();
  await sleep(HOLD);
  pool.release(held);
}

function toMarkdown(rows: readonly Row[], rounds: number): string {
  const lines = rows.map(({ name, time, opened }) => {
    const label = name === OURS ? `**${name}**` : name;
    return `| ${label} | ${spreadOf(opened).median} | ${time.median.toFixed(0)} ms [${time.lowerQuartile.toFixed(0)}–${time.upperQuartile.toFixed(0)}] |`;
  });
  return [
    `**a spike: ${IDLE} idle connections, ${REQUESTS} requests of ${HOLD} ms at once, opening one takes ${CREATE} ms**`,
    '',
    '| | connections opened | until all are served |',
    '| --- | ---: | ---: |',
    ...lines,
    '',
    `Medians of ${rounds} rounds, quartiles in brackets.`,
    '',
  ].join('\n');
}
