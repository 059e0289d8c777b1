import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { REPORTS } from './reports.ts';
import { insertTables, toMarkdown } from './report.ts';
import { type ComparisonResult, type RunOptions, runComparison } from './runner.ts';
import { SUITES } from './suites/index.ts';

const ROOT = new URL('../../../', import.meta.url);
const RESULTS = new URL('../results/', import.meta.url);

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
  .argument('[packages...]', `what to measure: ${names().join(', ')}; all of them by default`)
  .option('--rounds <n>', 'measurements of each contender', parseRounds, 15)
  .option(
    '--smoke',
    'one short round, to see that everything runs and does the same work; the figures mean nothing',
    false,
  )
  .option('--traces <folder>', 'real traces for hit-ratio', process.env['PERF_TRACES'])
  .option('--write', 'put the tables into the READMEs', false)
  .action(run)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1) throw new InvalidArgumentError('must be a positive integer');
  return rounds;
}

async function run(packages: readonly string[], flags: Flags): Promise<void> {
  const unknown = packages.find((name) => !names().includes(name));
  if (unknown !== undefined) throw new Error(`there is no suite "${unknown}"; there are ${names().join(', ')}`);
  if (flags.smoke && flags.write) throw new Error('--write needs real figures: leave out --smoke');
  if (globalThis.gc === undefined) console.error('Run with --expose-gc for steadier figures.');
  const options: RunOptions = {
    ...(flags.smoke ? { rounds: 1, warmups: 1, target: 2 } : { rounds: flags.rounds, warmups: 5, target: 50 }),
    onProgress: showProgress,
  };
  for (const name of packages.length > 0 ? packages : names()) {
    if (Object.hasOwn(REPORTS, name)) runReport(name, flags);
    else await runSuite(name, options, flags);
  }
}

function names(): string[] {
  return [...Object.keys(SUITES), ...Object.keys(REPORTS)];
}

function runReport(name: string, { smoke, write, traces }: Flags): void {
  const report = REPORTS[name];
  if (report === undefined) return;
  const text = report.measure({ traces, smoke, onProgress: (message) => showProgress(`${name}: ${message}`) });
  clearProgress();
  console.log(`## ${name}\n\n${text}`);
  if (smoke) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL(`${name}.md`, RESULTS), text);
  if (!write) return;
  const readme = new URL(`packages/${report.package}/README.md`, ROOT);
  writeFileSync(readme, insertTables(readFileSync(readme, 'utf8'), text, name));
}

async function runSuite(name: string, options: RunOptions, flags: Flags): Promise<void> {
  const results: ComparisonResult[] = [];
  for (const comparison of (await SUITES[name]?.()) ?? []) results.push(await runComparison(comparison, options));
  clearProgress();
  const machine = `Node.js ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`;
  const tables = toMarkdown(results, machine);
  console.log(`## @perf/${name}\n\n${tables}`);
  if (flags.smoke) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL(`${name}.json`, RESULTS), `${JSON.stringify({ machine, results }, null, 2)}\n`);
  writeFileSync(new URL(`${name}.md`, RESULTS), tables);
  if (!flags.write) return;
  const readme = new URL(`packages/${name}/README.md`, ROOT);
  writeFileSync(readme, insertTables(readFileSync(readme, 'utf8'), tables));
}

function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
