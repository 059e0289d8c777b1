import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type RedisServer, startRedis } from '@perf/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** A process that waits for the word to ask for `key`. */
class Process {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(key: string, loadTime: number) {
    const fixture = new URL('fixtures/redis-stampede.ts', import.meta.url).pathname;
    this.child = spawn(process.execPath, [fixture, server.url, key, String(loadTime)]);
    this.child.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    return String((await this.#lines.next()).value);
  }

  /** The last line: loads, and the answers there were. */
  async result(): Promise<{ readonly loads: number; readonly answers: string }> {
    let line = await this.line();
    if (line === 'loading') line = await this.line();
    const [loads = '', ...answers] = line.split(' ');
    return { loads: Number(loads), answers: answers.join(' ') };
  }

  start(): void {
    this.child.stdin.write('go\n');
  }
}

describe('processes that share a Redis', () => {
  test('1,000 callers in each of 4 processes are one load', async () => {
    const processes = Array.from({ length: 4 }, () => new Process('cold', 200));
    for (const each of processes) expect(await each.line()).toBe('ready');
    for (const each of processes) each.start();
    const results = await Promise.all(processes.map((each) => each.result()));
    expect(results.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
    expect(new Set(results.map(({ answers }) => answers)).size).toBe(1);
  });

  test('when the process that loads is killed, one of the others loads', async () => {
    const dying = new Process('orphan', 3_600_000);
    await dying.line();
    dying.start();
    expect(await dying.line()).toBe('loading');
    const heirs = [new Process('orphan', 50), new Process('orphan', 50)];
    for (const each of heirs) expect(await each.line()).toBe('ready');
    for (const each of heirs) each.start();
    dying.child.kill('SIGKILL');
    await once(dying.child, 'exit');
    const results = await Promise.all(heirs.map((each) => each.result()));
    expect(results.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
    expect(new Set(results.map(({ answers }) => answers)).size).toBe(1);
  });
});
