import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type CpuProfile, parseCpuProfile, saveCpuProfile, startCpuProfile, topFunctions } from '../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'perf-profiler-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function burnCpu(ms: number): number {
  const end = process.cpuUsage().user + ms * 1000;
  let sum = 0;
  while (process.cpuUsage().user < end) for (let i = 0; i < 10_000; i++) sum += Math.sqrt(i);
  return sum;
}

/** When the last sample was taken, in V8's microseconds. */
function lastSample({ startTime, timeDeltas }: Pick<CpuProfile, 'startTime' | 'timeDeltas'>): number {
  return timeDeltas.reduce((time, delta) => time + delta, startTime);
}

/** Runs a module that imports the package, in a process of its own. */
function runModule(
  code: string,
  options: { readonly flags?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
) {
  const file = join(folder, `module-${Math.random()}.mjs`);
  writeFileSync(file, code.replaceAll('@perf/profiler', new URL('../../src/index.ts', import.meta.url).href));
  const args = [...(options.flags ?? []), '--no-warnings', file];
  return execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...options.env } });
}

describe('a recording', () => {
  test('sees what runs', () => {
    const recording = startCpuProfile();
    burnCpu(60);
    const profile = recording.stop();
    expect(topFunctions(profile, Infinity).map(({ name }) => name)).toContain('burnCpu');
    expect(recording.stop()).toBe(profile);
  });

  test('ends with its block', () => {
    let recording;
    {
      using inBlock = startCpuProfile({ interval: 10 });
      recording = inBlock;
    }
    expect(recording.stop().nodes.length).toBeGreaterThan(0);
  });

  test('may overlap with others, of other intervals and of other sessions; each is complete', () => {
    const session = new Session();
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.start');
    const outer = startCpuProfile({ interval: 2 });
    const inner = startCpuProfile({ interval: 0.5 });
    burnCpu(40);
    const innerProfile = inner.stop();
    burnCpu(40);
    const outerProfile = outer.stop();
    burnCpu(40);
    let foreign: CpuProfile | undefined;
    session.post('Profiler.stop', (_, { profile }) => (foreign = parseCpuProfile(JSON.stringify(profile))));
    session.disconnect();
    expect(innerProfile.samples.length).toBeGreaterThan(0);
    // What goes on sampling after the others have stopped was not stopped by them.
    expect(lastSample(outerProfile)).toBeGreaterThan(innerProfile.endTime);
    expect(lastSample(foreign!)).toBeGreaterThan(outerProfile.endTime);
  });

  test('can be written to a file and read again', async () => {
    const recording = startCpuProfile();
    burnCpu(20);
    const profile = recording.stop();
    const file = join(folder, 'saved.cpuprofile');
    await saveCpuProfile(profile, file);
    expect(topFunctions(parseCpuProfile(readFileSync(file, 'utf8')))).toEqual(topFunctions(profile));
  });

  test.each([{ interval: 0 }, { interval: 2000 }, { interval: NaN }, { interval: '1' }, { intervall: 1 }])(
    'with %o is refused',
    (options) => {
      expect(() => startCpuProfile(options as never)).toThrow(/interval/);
    },
  );
});

describe('in a process of its own', () => {
  test('recordings leave the counts of a coverage run alone', () => {
    const coverage = join(folder, 'coverage');
    runModule(
      `import { startCpuProfile } from '@perf/profiler';
       function counted() { return 1; }
       for (let i = 0; i < 3; i++) counted();
       for (let i = 0; i < 3; i++) startCpuProfile().stop();
       for (let i = 0; i < 4; i++) counted();`,
      { env: { NODE_V8_COVERAGE: coverage } },
    );
    const counts = readdirSync(coverage)
      .map((file) => JSON.parse(readFileSync(join(coverage, file), 'utf8')) as CoverageReport)
      .flatMap(({ result }) => result.flatMap(({ functions }) => functions))
      .filter(({ functionName }) => functionName === 'counted')
      .map(({ ranges }) => ranges[0]?.count);
    expect(counts).toEqual([7]);
  });

  test('an unfinished recording and finished ones keep no process alive', () => {
    const output = runModule(
      `import { startCpuProfile } from '@perf/profiler';
       startCpuProfile().stop();
       startCpuProfile();
       console.log('done');`,
    );
    expect(output).toBe('done\n');
  });

  test('a worker thread records itself', () => {
    const output = runModule(
      `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
       import { startCpuProfile, topFunctions } from '@perf/profiler';
       if (isMainThread) new Worker(new URL(import.meta.url)).on('message', (message) => console.log(message));
       else {
         const recording = startCpuProfile();
         const end = process.cpuUsage().user + 30_000;
         while (process.cpuUsage().user < end);
         const profile = recording.stop();
         parentPort.postMessage(profile.samples.length > 0 && topFunctions(profile).length > 0);
       }`,
    );
    expect(output).toBe('true\n');
  });

  test('without permission to inspect, it fails with a typed error, and functions are measured all the same', () => {
    const output = runModule(
      `import { Profiler, startCpuProfile } from '@perf/profiler';
       const profiler = new Profiler();
       console.log(profiler.measure('work', () => 'works'), profiler.report('work').calls);
       try { startCpuProfile(); } catch (error) { console.log(error.code, error.cause.code); }`,
      { flags: ['--permission', '--allow-fs-read=*'] },
    );
    expect(output).toBe('works 1\nPERF_PROFILER_UNAVAILABLE ERR_ACCESS_DENIED\n');
  });
});

interface CoverageReport {
  readonly result: readonly {
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
}
