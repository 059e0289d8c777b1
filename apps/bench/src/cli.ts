import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { insertTables, toMarkdown } from './report.ts';
import { REPORTS } from './reports.ts';
import { type ComparisonResult, type RunOptions, runComparison } from './runner.ts';
import { SUITES } from './suites/index.ts';

const ROOT = new URL('../../../', import.meta.url);
const RESULTS = new URL('../results/', import.meta.url);

/** A burst that is nothing to most takes some peers half a minute. */
const SMOKE_ITERATIONS = 1_000;

interface Flags {
  readonly rounds: number;
  readonly smoke: boolean;
  readonly write: boolean;
  readonly traces?: string;
}

new Command('bench')
  .description(
    'Measures the packages against their peers, interleaved in one process, and writes JSON and Markdown to apps/bench/results.',
  )
  .argument('[names...]', `what to measure: ${names().join(', ')}; all of them by default`)
  .option('--rounds <n>', 'measurements of each contender', parseRounds, 15)
  .option(
    '--smoke',
    'one short round, to see that everything runs and does the same work; the figures mean nothing',
    false,
  )
  .option('--traces <folder>', 'real traces, for hit-ratio', process.env['PERF_TRACES'])
  .option('--write', 'put the tables into the READMEs', false)
  .action(run)
  .parseAsync()
  // Threads of a peer that never ended would keep the process.
  .then(() => process.exit())
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidArgumentError('must be a positive integer');
  return rounds;
}

async function run(chosen: readonly string[], flags: Flags): Promise<void> {
  const unknown = chosen.find((name) => !names().includes(name));
  if (unknown !== undefined) throw new Error(`there is no "${unknown}"; there are ${names().join(', ')}`);
  if (flags.smoke && flags.write) throw new Error('--write needs real figures: leave out --smoke');
  if (globalThis.gc === undefined) console.error('Run with --expose-gc for steadier figures.');
  const options: RunOptions = {
    ...(flags.smoke
      ? { rounds: 1, warmups: 1, target: 2, mostIterations: SMOKE_ITERATIONS }
      : { rounds: flags.rounds, warmups: 5, target: 50 }),
    onProgress: showProgress,
  };
  for (const name of chosen.length > 0 ? chosen : names()) {
    if (Object.hasOwn(REPORTS, name)) await runReport(name, flags);
    else await runSuite(name, options, flags);
  }
}

function names(): string[] {
  return [...Object.keys(SUITES), ...Object.keys(REPORTS)];
}

async function runSuite(name: string, options: RunOptions, flags: Flags): Promise<void> {
  const results: ComparisonResult[] = [];
  for (const comparison of (await SUITES[name]?.()) ?? []) results.push(await runComparison(comparison, options));
  clearProgress();
  const machine = `Node.js ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`;
  const tables = toMarkdown(results, machine);
  console.log(`## @perf/${name}\n\n${tables}`);
  if (flags.smoke) return;
  save(name, 'json', `${JSON.stringify({ machine, results }, null, 2)}\n`);
  save(name, 'md', tables);
  if (flags.write) writeInto(name, tables);
}

async function runReport(name: string, { rounds, smoke, traces, write }: Flags): Promise<void> {
  const report = await REPORTS[name]?.();
  if (report === undefined) return;
  const text = await report.run({ rounds, smoke, traces, onProgress: showProgress });
  clearProgress();
  console.log(`## ${name}\n\n${text}`);
  if (smoke) return;
  save(name, 'md', text);
  if (write) writeInto(report.package, text, name);
}

function save(name: string, kind: 'json' | 'md', text: string): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL(`${name}.${kind}`, RESULTS), text);
}

function writeInto(name: string, text: string, place?: string): void {
  const readme = new URL(`packages/${name}/README.md`, ROOT);
  writeFileSync(readme, insertTables(readFileSync(readme, 'utf8'), text, place));
}

function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
