import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { startRedis } from '@perf/testkit';
import type { Report, ReportOptions } from '../reports.ts';
import { type Spread, spreadOf } from '../statistics.ts';
import type { Call, Outcome } from './caller.ts';
import { CONTENDERS } from './contenders.ts';

interface Size {
  readonly processes: number;
  readonly callers: number;
  readonly rounds: number;
  readonly warmups: number;
}

interface Row {
  readonly name: string;
  readonly loads: readonly number[];
  /** Milliseconds until the last caller of all had its value. */
  readonly time: Spread;
}

const FULL = { processes: 4, callers: 1_000, warmups: 3 };
const SMOKE = { processes: 2, callers: 20, warmups: 0 };
const MOST_ROUNDS = 20;

/** Everybody asks for the same cold key at the same moment: how often is it loaded? */
export const stampede: Report = {
  package: 'cache',
  run: async (options: ReportOptions): Promise<string> => {
    const size = { ...(options.smoke ? SMOKE : FULL), rounds: Math.min(options.rounds, MOST_ROUNDS) };
    const server = await startRedis();
    try {
      const rows: Row[] = [];
      for (const name of Object.keys(CONTENDERS)) {
        options.onProgress(`stampede: ${name}`);
        rows.push(await measure(name, server.url, size));
      }
      return toMarkdown(rows, size);
    } finally {
      await server.stop();
    }
  },
};

/** The processes live through all rounds: what is cold is the key. */
async function measure(name: string, url: string, size: Size): Promise<Row> {
  const children = Array.from({ length: size.processes }, () =>
    fork(new URL('caller.ts', import.meta.url), [name, url], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  try {
    await Promise.all(children.map((child) => answer(child)));
    const loads: number[] = [];
    const times: number[] = [];
    for (let round = -size.warmups; round < size.rounds; round++) {
      const { count, elapsed } = await stampedeOnce(children, { key: `cold-${round}`, callers: size.callers });
      if (round < 0) continue;
      loads.push(count);
      times.push(elapsed);
    }
    return { name, loads, time: spreadOf(times) };
  } finally {
    for (const child of children) child.kill();
  }
}

async function stampedeOnce(
  children: readonly ChildProcess[],
  call: Call,
): Promise<{ readonly count: number; readonly elapsed: number }> {
  const start = performance.now();
  const outcomes = await Promise.all(
    children.map((child) => {
      const outcome = answer(child) as Promise<Outcome>;
      child.send(call);
      return outcome;
    }),
  );
  const elapsed = performance.now() - start;
  for (const { values } of outcomes) {
    if (values.length !== 1 || values[0] !== `the value of ${call.key}`) {
      throw new Error(`callers were given ${values.slice(0, 5).join(', ')} for ${call.key}`);
    }
  }
  return { count: outcomes.reduce((sum, { loads }) => sum + loads, 0), elapsed };
}

/** The next message of a process. @throws Error when it ends instead */
async function answer(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const onExit = (code: number | null): void => ended.abort(new Error(`a process ended with exit code ${code}`));
  child.once('exit', onExit);
  try {
    const [message] = (await once(child, 'message', { signal: ended.signal })) as unknown[];
    return message;
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error;
  } finally {
    child.off('exit', onExit);
  }
}

function toMarkdown(rows: readonly Row[], { processes, callers, rounds }: Size): string {
  const lines = rows.map(({ name, loads, time }) => {
    const isOurs = name.startsWith('@perf/');
    return `| ${isOurs ? `**${name}**` : name} | ${loadsOf(loads)} | ${time.median.toFixed(0)} ms [${time.lowerQuartile.toFixed(0)}–${time.upperQuartile.toFixed(0)}] |`;
  });
  const all = (processes * callers).toLocaleString('en');
  return [
    `**a stampede: ${all} callers in ${processes} processes ask for one cold key, which takes 50 ms to load**`,
    '',
    `| | loads | until all ${all} have the value |`,
    '| --- | ---: | ---: |',
    ...lines,
    '',
    `Medians of ${rounds} rounds on one Redis; loads with the fewest and the most, times with quartiles.`,
    '',
  ].join('\n');
}

function loadsOf(loads: readonly number[]): string {
  const { median } = spreadOf(loads);
  const [least, most] = [Math.min(...loads), Math.max(...loads)];
  return least === most ? String(median) : `${median} [${least}–${most}]`;
}
