import { existsSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { renderFlameGraph } from '../flame/render-flame-graph.ts';
import { Failure } from './failure.ts';
import { readProfile, writeText } from './profile-files.ts';
import { runScript } from './run-script.ts';
import { topText } from './top-text.ts';

const SUMMARY_LENGTH = 10;

/** What `perf-profile run` was asked for. */
export interface RecordRequest {
  readonly script: string;
  readonly args: readonly string[];
  readonly output: string | undefined;
  /** Milliseconds. */
  readonly interval: number;
  readonly flame: string | undefined;
  readonly preload: URL;
}

/** Runs a program, writes its profile and says where the time went. The exit code is the program's. @throws Failure */
export async function record({ output: wanted, flame, ...request }: RecordRequest): Promise<void> {
  const { script } = request;
  const output = resolve(wanted ?? defaultOutput(script));
  // A profile of an earlier run must not be taken for the one of this run.
  if (existsSync(output)) throw new Failure(`${output}: exists already`);
  const code = await runScript({ ...request, output });
  if (!existsSync(output)) {
    throw new Failure(`no profile was written; the program ended with code ${code}`, { exitCode: code || 1 });
  }
  const profile = readProfile(output);
  process.stderr.write(`\n${topText(profile, SUMMARY_LENGTH, 'self')}\n\nprofile: ${output}\n`);
  if (flame !== undefined) {
    writeText(flame, renderFlameGraph(profile, { title: basename(script) }));
    process.stderr.write(`flame graph: ${flame}\n`);
  }
  process.exitCode = code;
}

/** A name that is free: a short program runs more than once in a second. */
function defaultOutput(script: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const name = `${basename(script, extname(script))}-${time}`;
  let output = `${name}.cpuprofile`;
  for (let run = 2; existsSync(output); run++) output = `${name}-${run}.cpuprofile`;
  return output;
}
