import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCpuProfile, toCpuProfile, topFunctions } from '../src/index.ts';
import { readPage, rectsOf } from './flame/page.ts';
import { profileOf } from './profile-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'perf-profile-'));
const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function perfProfile(...args: readonly string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', CLI, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const BURN = `function hotLoop(ms) {
  const end = process.cpuUsage().user + ms * 1000;
  let sum = 0;
  while (process.cpuUsage().user < end) for (let i = 0; i < 10000; i++) sum += Math.sqrt(i);
  return sum;
}
`;

const hotLoopIn = (name: string): boolean =>
  topFunctions(parseCpuProfile(readFileSync(join(folder, name), 'utf8')), 20, 'total').some(
    (each) => each.name === 'hotLoop',
  );

describe('perf-profile run', () => {
  test('records a program to its end, and ends as it does', () => {
    file('app.mjs', `${BURN} hotLoop(60); console.log(process.argv.slice(2).join()); process.exit(3);`);
    const { code, out, err } = perfProfile(
      'run',
      '-o',
      'app.cpuprofile',
      '-f',
      'app.html',
      'app.mjs',
      '--flag',
      '-o',
      'x',
    );
    expect(out).toBe('--flag,-o,x\n');
    expect(code).toBe(3);
    expect(err).toContain('hotLoop');
    expect(err).toContain('app.cpuprofile');
    expect(hotLoopIn('app.cpuprofile')).toBe(true);
    expect(rectsOf(readPage(readFileSync(join(folder, 'app.html'), 'utf8')).data).map(({ name }) => name)).toContain(
      'hotLoop',
    );
  });

  test('names the profile after the program and the time', () => {
    file('quick.cjs', 'void 0;');
    expect(perfProfile('run', 'quick.cjs').code).toBe(0);
    expect(readdirSync(folder).some((name) => /^quick-\d{8}-\d{6}\.cpuprofile$/.test(name))).toBe(true);
  });

  test('finds another name where that one is taken, as by a run in the same second', () => {
    file('often.cjs', 'void 0;');
    for (let second = 0; second < 20; second++) {
      const time = new Date(Date.now() + second * 1_000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
      file(`often-${time.replace('T', '-')}.cpuprofile`, 'of an earlier run');
    }
    expect(perfProfile('run', 'often.cjs').code).toBe(0);
    expect(readdirSync(folder).some((name) => /^often-\d{8}-\d{6}-2\.cpuprofile$/.test(name))).toBe(true);
  });

  test('keeps the profile of a program that fails', () => {
    file('fails.mjs', `${BURN} hotLoop(30); throw new Error('broken');`);
    const { code, err } = perfProfile('run', '-o', 'fails.cpuprofile', 'fails.mjs');
    expect(code).toBe(1);
    expect(err).toContain('broken');
    expect(hotLoopIn('fails.cpuprofile')).toBe(true);
  });

  test('leaves the profile alone that a forked process of the program could write', () => {
    file('child.mjs', 'process.exit(0);');
    file(
      'forks.mjs',
      `import { fork } from 'node:child_process'; import { Worker } from 'node:worker_threads'; ${BURN}
      fork('./child.mjs').on('exit', () => new Worker('./child.mjs').on('exit', () => hotLoop(30)));`,
    );
    expect(perfProfile('run', '-o', 'forks.cpuprofile', 'forks.mjs').code).toBe(0);
    expect(hotLoopIn('forks.cpuprofile')).toBe(true);
  });

  test.each([
    ['ends on SIGTERM', 'server', 'setInterval(() => {}, 1000);', 143],
    [
      'lets a program handle SIGTERM itself',
      'graceful',
      `setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(7));`,
      7,
    ],
  ])('%s, with a profile', async (_, name, code, exitCode) => {
    file(`${name}.mjs`, `${BURN} hotLoop(30); ${code} console.log('up');`);
    const child = spawn(process.execPath, ['--no-warnings', CLI, 'run', '-o', `${name}.cpuprofile`, `${name}.mjs`], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout.once('data', () => child.kill('SIGTERM'));
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(exitCode);
    expect(hotLoopIn(`${name}.cpuprofile`)).toBe(true);
  });

  test('says so when there is no profile', () => {
    file('killed.mjs', `process.kill(process.pid, 'SIGKILL');`);
    const { code, err } = perfProfile('run', '-o', 'killed.cpuprofile', 'killed.mjs');
    expect(code).toBe(137);
    expect(err).toBe('perf-profile: no profile was written; the program ended with code 137\n');
    expect(existsSync(join(folder, 'killed.cpuprofile'))).toBe(false);
  });

  test('does not write over a file', () => {
    file('mine.cpuprofile', 'mine');
    file('any.mjs', '');
    const { code, err } = perfProfile('run', '-o', 'mine.cpuprofile', 'any.mjs');
    expect([code, readFileSync(join(folder, 'mine.cpuprofile'), 'utf8')]).toEqual([1, 'mine']);
    expect(err).toMatch(/mine\.cpuprofile: exists already/);
  });

  test('says which program is missing', () => {
    expect(perfProfile('run', 'missing.mjs')).toEqual({
      code: 1,
      out: '',
      err: 'perf-profile: missing.mjs: no such file\n',
    });
  });
});

describe('perf-profile', () => {
  beforeAll(() => {
    file(
      'a.cpuprofile',
      toCpuProfile(profileOf({ name: 'main', self: 10, calls: [{ name: 'work', line: 4, self: 30 }] })),
    );
    file(
      'b.cpuprofile',
      toCpuProfile(profileOf({ name: 'main', self: 10, calls: [{ name: 'work', line: 4, self: 10 }] })),
    );
  });

  test('top shows the functions', () => {
    const { code, out } = perfProfile('top', 'a.cpuprofile');
    expect(code).toBe(0);
    expect(out.split('\n').map((line) => line.trim())).toEqual([
      'self     %    total      %  function  location',
      '30.0 ms  75.0  30.0 ms   75.0  work      file:///app/main.js:5:1',
      '10.0 ms  25.0  40.0 ms  100.0  main      file:///app/main.js:1:1',
      '',
    ]);
    expect(perfProfile('top', '-n', '1', '--sort', 'total', 'a.cpuprofile').out).toMatch(/ main [^\n]*\n$/);
  });

  test('flame writes a page beside the profile', () => {
    expect(perfProfile('flame', 'a.cpuprofile')).toMatchObject({ code: 0, out: 'a.html\n' });
    expect(readPage(readFileSync(join(folder, 'a.html'), 'utf8')).data.total).toBe(40_000);
  });

  test('diff writes a page', () => {
    expect(perfProfile('diff', 'a.cpuprofile', 'b.cpuprofile', '-o', 'ab.html', '-t', 'mine')).toMatchObject({
      code: 0,
    });
    expect(readFileSync(join(folder, 'ab.html'), 'utf8')).toContain('<title>mine</title>');
  });

  test.each([
    ['top', 'none.cpuprofile', /^perf-profile: none\.cpuprofile: ENOENT/],
    ['flame', 'bad.cpuprofile', /^perf-profile: bad\.cpuprofile: not a usable CPU profile: it is not JSON\n$/],
    [
      'top',
      'odd.cpuprofile',
      /^perf-profile: odd\.cpuprofile: not a usable CPU profile: sample 0 names the unknown node 9\n$/,
    ],
  ])('%s %s fails in one line', (command, name, message) => {
    file('bad.cpuprofile', 'not json');
    file('odd.cpuprofile', toCpuProfile({ ...profileOf({ name: 'f' }), samples: [9], timeDeltas: [1] }));
    const { code, out, err } = perfProfile(command, name);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
  });

  test('a page that cannot be written fails in one line', () => {
    const { code, err } = perfProfile('flame', 'a.cpuprofile', '-o', 'no/such/folder.html');
    expect(code).toBe(1);
    expect(err).toMatch(/^perf-profile: no\/such\/folder\.html: ENOENT[^\n]*\n$/);
  });

  test.each([
    [[], /Usage: perf-profile/],
    [['fly'], /unknown command 'fly'/],
    [['top'], /missing required argument 'file'/],
    [['top', '--sort', 'size', 'a.cpuprofile'], /Allowed choices are self, total/],
    [['top', '-n', '-1', 'a.cpuprofile'], /must be a positive integer/],
    [['run', '-i', 'x', 'app.mjs'], /from 0\.05 to 1000/],
    [['diff', 'a.cpuprofile'], /missing required argument 'after'/],
  ])('%j is wrong usage', (args, message) => {
    const { code, err } = perfProfile(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test('tells its version and how to use it', () => {
    expect(perfProfile('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(perfProfile('--help')).toMatchObject({ code: 0, out: expect.stringContaining('Exit codes:') });
  });
});
