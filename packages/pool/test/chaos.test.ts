import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom } from '@perf/testkit';
import { expect, test } from 'vitest';
import { WorkerPool, type WorkerPoolOptions } from '../src/index.ts';
import type { ChaosKind, ChaosTask } from './fixtures/chaos.ts';

/** How many tasks, and how often one of them is fatal. `PERF_CHAOS_TASKS=100000` is the whole of it; the default fits in an ordinary run. */
const TASKS = Number(process.env['PERF_CHAOS_TASKS'] ?? 20_000);
const SEED = Number(process.env['PERF_CHAOS_SEED'] ?? 20_261_124);
const MAX_WORKERS = 2;
const OUTSTANDING = 2_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Chaos {
  readonly kinds: readonly ChaosKind[];
  /** One in so many tasks ends its worker. */
  readonly rarity: number;
  readonly tasks: number;
}

interface Account {
  settled: Int32Array;
  fulfilled: Set<number>;
  lost: Set<number>;
  mostWorkers: number;
  heaps: number[];
}

async function unleash(pool: WorkerPool, { kinds, rarity, tasks }: Chaos): Promise<Account> {
  const random = seededRandom(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const account: Account = {
    settled: new Int32Array(tasks),
    fulfilled: new Set(),
    lost: new Set(),
    mostWorkers: 0,
    heaps: [],
  };
  const under = new Set<Promise<void>>();
  for (let id = 0; id < tasks; id++) {
    const fatal = random() < 1 / rarity;
    const kind = fatal
      ? pick(kinds)
      : pick<ChaosKind>(['number', 'number', 'number', 'object', 'async', 'throw', 'uncloneable']);
    under.add(follow(id, kind));
    account.mostWorkers = Math.max(account.mostWorkers, pool.stats().workers);
    if (under.size >= OUTSTANDING) await Promise.race(under);
    if (id % Math.ceil(tasks / 4) === 0) {
      collectGarbage();
      account.heaps.push(process.memoryUsage().heapUsed);
    }
  }
  await Promise.all(under);
  return account;

  function follow(id: number, kind: ChaosKind): Promise<void> {
    const controller = new AbortController();
    const how = kind === 'hang' && random() < 0.5 ? { timeout: 20 } : { signal: controller.signal };
    const abortAfter =
      kind === 'hang' || random() < 0.01 ? setTimeout(() => controller.abort('chaos'), random() * 30) : undefined;
    const task: ChaosTask = { id, kind };
    const done = pool.run(task, how).then(
      (value) => {
        expect(typeof value === 'object' ? value : { id: value }).toEqual({ id });
        account.fulfilled.add(id);
      },
      (error: unknown) => {
        const code = (error as { code?: string }).code;
        if (kind === 'throw' && error instanceof RangeError) return;
        if (kind === 'uncloneable' && code === 'PERF_POOL_CLONE') return;
        if (error === 'chaos' || code === 'PERF_POOL_TASK_TIMEOUT' || code === 'PERF_POOL_WORKER_EXIT')
          account.lost.add(id);
        else expect.fail(`task ${id}, which was to ${kind}, rejected with ${String(error)}`);
        // Whoever did nothing to its worker is not taken down with it.
        if (code === 'PERF_POOL_WORKER_EXIT') expect(kinds).toContain(kind);
      },
    );
    const all: Promise<void> = done.finally(() => {
      clearTimeout(abortAfter);
      account.settled[id]!++;
      under.delete(all);
    });
    return all;
  }
}

const FILENAME = new URL('./fixtures/chaos.ts', import.meta.url);
const open = (options: Partial<WorkerPoolOptions>): WorkerPool =>
  new WorkerPool({
    filename: FILENAME,
    maxWorkers: MAX_WORKERS,
    resourceLimits: { maxOldGenerationSizeMb: 32 },
    ...options,
  });

function check(account: Account, starts: (id: number) => number): void {
  expect(account.settled.every((times) => times === 1)).toBe(true);
  for (let id = 0; id < account.settled.length; id++) {
    const started = starts(id);
    if (started > 1) expect.fail(`task ${id} was started ${started} times`);
    if (account.fulfilled.has(id) && started !== 1)
      expect.fail(`task ${id} has a result and was started ${started} times`);
  }
  expect(account.mostWorkers).toBeLessThanOrEqual(MAX_WORKERS);
}

test(
  `threads: ${TASKS} tasks while workers exit, crash, run out of memory, hang, and are aborted: each settles once and starts at most once`,
  { timeout: 600_000 },
  async () => {
    const starts = new Int32Array(new SharedArrayBuffer(4 * TASKS));
    const pool = open({ workerData: { starts } });
    let mostThreads = 0;
    const before = threads();
    const watch = setInterval(() => (mostThreads = Math.max(mostThreads, threads())), 20);
    const account = await unleash(pool, {
      kinds: ['exit', 'uncaught', 'memory', 'hang', 'hang'],
      rarity: 150,
      tasks: TASKS,
    });
    clearInterval(watch);
    check(account, (id) => starts[id]!);
    const { crashes, timedOut, aborted, frames, tasksSent } = pool.stats();
    expect(Math.min(crashes.exit, crashes.error, crashes.memory, timedOut, aborted)).toBeGreaterThan(0);
    expect(tasksSent / frames).toBeGreaterThan(2);
    // One more for each worker: V8 and libuv may keep one of theirs for a moment.
    expect(mostThreads).toBeLessThanOrEqual(before + 2 * MAX_WORKERS);
    expect(account.heaps.at(-1)! - account.heaps[1]!).toBeLessThan(30e6);
    await pool.close();
    expect(pool.stats()).toMatchObject({ workers: 0, running: 0, waiting: 0 });
  },
);

test(
  'processes: tasks while workers exit and are killed: each settles once and starts at most once',
  { timeout: 600_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'perf-pool-'));
    const log = join(folder, 'log');
    const pool = open({ workerData: { log }, runtime: 'child_process' });
    const tasks = Math.ceil(TASKS / 20);
    const account = await unleash(pool, { kinds: ['exit', 'kill', 'uncaught', 'hang'], rarity: 50, tasks });
    const starts = new Map<number, number>();
    for (const id of readFileSync(log, 'utf8').trim().split('\n').map(Number))
      starts.set(id, (starts.get(id) ?? 0) + 1);
    rmSync(folder, { recursive: true });
    check(account, (id) => starts.get(id) ?? 0);
    expect(pool.stats().crashes.signal).toBeGreaterThan(0);
    await pool.close();
  },
);

function threads(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0;
}
