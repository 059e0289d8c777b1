#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Failure } from './cli/failure.ts';
import { diff, flame, top } from './cli/read-commands.ts';
import { record } from './cli/record.ts';

const USAGE_ERROR = 2;
const EXIT_CODES = `
Exit codes: 0 done, 1 a file or program is no good, 2 wrong usage; \`run\` ends with the code of the program.`;
// It lies beside this file, in the sources as in the build.
const preload = new URL(import.meta.url.endsWith('.ts') ? './preload.ts' : './preload.js', import.meta.url);

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a positive integer.');
  return value;
}

function intervalOf(text: string): number {
  const value = Number(text);
  if (!(value >= 0.05 && value <= 1000)) throw new InvalidArgumentError('It must be from 0.05 to 1000 milliseconds.');
  return value;
}

interface RunOptions {
  readonly output?: string;
  readonly interval: number;
  readonly flame?: string;
}

function addRun(parent: Command): void {
  parent
    .command('run')
    .description('run a program and record it until it ends; Ctrl-C ends it')
    .argument('<script>', 'the program')
    .argument('[args...]', 'its arguments')
    .passThroughOptions()
    .option('-o, --output <file>', 'where the profile goes (default: <script>-<time>.cpuprofile)')
    .option('-i, --interval <ms>', 'milliseconds between samples', intervalOf, 1)
    .option('-f, --flame <file>', 'write a flame graph as well')
    .action((script: string, args: string[], { output, interval, flame: page }: RunOptions) =>
      record({ script, args, output, interval, flame: page, preload }),
    );
}

function addReaders(parent: Command): void {
  parent
    .command('top')
    .description('show the functions a profile spent most time in')
    .argument('<file>', 'a .cpuprofile')
    .option('-n, --limit <n>', 'how many', positiveInteger, 20)
    .addOption(new Option('-s, --sort <by>', 'self or total time').choices(['self', 'total']).default('self'))
    .action(top);
  parent
    .command('flame')
    .description('write a profile as a flame graph, one HTML file')
    .argument('<file>', 'a .cpuprofile')
    .option('-o, --output <file>', 'the page (default: the file with .html)')
    .option('-t, --title <text>', 'its title')
    .action(flame);
  parent
    .command('diff')
    .description('write the difference of two profiles as a flame graph')
    .argument('<before>', 'a .cpuprofile')
    .argument('<after>', 'another')
    .option('-o, --output <file>', 'the page (default: diff.html)')
    .option('-t, --title <text>', 'its title')
    .action(diff);
}

function program(): Command {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const perfProfile = new Command('perf-profile')
    .description('Records and reads CPU profiles of Node.js programs')
    .version(manifest.version)
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText('after', EXIT_CODES);
  addRun(perfProfile);
  addReaders(perfProfile);
  return perfProfile;
}

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong already.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR;
  } else if (error instanceof Failure) {
    process.stderr.write(`perf-profile: ${error.message}\n`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
