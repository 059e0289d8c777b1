import { ClosedError } from '@perf/core';
import { ManualClock } from '@perf/testkit';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type WorkerExit, WorkerExitError, WorkerStartError } from '../src/errors.ts';
import type { Frame, Reply } from '../src/frame.ts';
import { Scheduler, type SchedulerSettings } from '../src/scheduler.ts';
import { TaskLog } from '../src/task-log.ts';
import { InputFailure, WorkerGone, type WorkerHandle } from '../src/worker-handle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const EXIT: WorkerExit = { exitCode: 1, signalCode: undefined };

/** A worker that does what the test says. */
class FakeWorker implements WorkerHandle {
  readonly #opened = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<WorkerExit>();
  readonly opened = this.#opened.promise;
  readonly exited = this.#exited.promise;
  gone = false;
  ready = false;
  terminated = false;
  job: { frame: Frame; started: boolean; settle: PromiseWithResolvers<Reply> } | undefined;

  constructor() {
    this.opened.catch(() => {});
  }

  open(): void {
    if (this.gone || this.terminated) return;
    this.ready = true;
    this.#opened.resolve();
  }

  send(frame: Frame): Promise<Reply> {
    expect(this.job).toBeUndefined();
    expect(this.terminated).toBe(false);
    const settle = Promise.withResolvers<Reply>();
    if (this.gone) settle.reject(new WorkerGone());
    else this.job = { frame, started: false, settle };
    return settle.promise;
  }

  hasStarted(frame: Frame): boolean {
    return this.job?.frame === frame && this.job.started;
  }

  begin(): Frame | undefined {
    if (this.job === undefined || this.job.started || this.gone) return undefined;
    this.job.started = true;
    return this.job.frame;
  }

  answer(): void {
    const { job } = this;
    if (job === undefined || !job.started || this.gone) return;
    this.job = undefined;
    job.settle.resolve({ results: job.frame.items, elapsed: 1 });
  }

  refuse(): void {
    const { job } = this;
    if (job === undefined || job.started || this.gone) return;
    this.job = undefined;
    job.settle.reject(new InputFailure(new Error('no clone')));
  }

  terminate(): void {
    this.terminated = true;
  }

  die(): void {
    if (this.gone) return;
    this.gone = true;
    this.#exited.resolve(EXIT);
    if (!this.ready) void this.exited.then(() => this.#opened.reject(new WorkerStartError(EXIT)));
    this.job?.settle.reject(new WorkerGone());
  }
}

function setUp(options: Partial<SchedulerSettings> = {}): { scheduler: Scheduler; workers: FakeWorker[] } {
  const workers: FakeWorker[] = [];
  const scheduler = new Scheduler({
    component: 'pool',
    minWorkers: 0,
    maxWorkers: 2,
    idleTimeout: Infinity,
    maxQueue: Infinity,
    maxTasksPerWorker: Infinity,
    clock: new ManualClock(),
    log: new TaskLog({ waited: () => {}, ran: () => {} }),
    startWorker: () => {
      const worker = new FakeWorker();
      workers.push(worker);
      return worker;
    },
    ...options,
  });
  return { scheduler, workers };
}

const read = (reply: Reply): unknown => reply.results[0];
const task = (item: unknown, extra: object = {}) =>
  ({
    url: 'file:///tasks.js',
    name: 'default',
    items: [item],
    timeout: Infinity,
    priority: 0,
    read,
    ...extra,
  }) as const;
const turn = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => {});

test('a worker is started for each task that has none, up to the maximum', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 3 });
  for (const item of [1, 2, 3, 4, 5]) void scheduler.submit(task(item));
  expect(workers).toHaveLength(3);
  workers[0]!.open();
  await turn();
  expect(scheduler.counts).toEqual({ workers: 3, idle: 0, starting: 2, running: 1, waiting: 4 });
});

test('a task whose worker died before it started runs elsewhere, before those that came later', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const tasks = ['first', 'second'].map((item) => scheduler.submit(task(item)));
  workers[0]!.open();
  await turn();
  workers[0]!.die();
  await turn();
  workers[1]!.open();
  await turn();
  expect(workers[1]!.begin()?.items).toEqual(['first']);
  workers[1]!.answer();
  expect(await tasks[0]).toBe('first');
});

test('a task whose workers keep dying before it starts is given up', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const outcome = scheduler.submit(task('poison')).catch((error: unknown) => error);
  for (let round = 0; round < 3; round++) {
    workers.at(-1)!.open();
    await turn();
    workers.at(-1)!.die();
    await turn();
  }
  expect(await outcome).toBeInstanceOf(WorkerExitError);
  expect(scheduler.counts).toMatchObject({ running: 0, waiting: 0, workers: 0 });
});

test('the place of a worker that was ended is free only when it is gone', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const late = scheduler.submit(task('late', { timeout: 100 })).catch((error: unknown) => error);
  const next = scheduler.submit(task('next'));
  workers[0]!.open();
  await turn();
  workers[0]!.begin();
  await vi.advanceTimersByTimeAsync(100);
  expect(await late).toMatchObject({ code: 'PERF_POOL_TASK_TIMEOUT' });
  expect(workers).toHaveLength(1);
  workers[0]!.die();
  await turn();
  expect(workers).toHaveLength(2);
  workers[1]!.open();
  await turn();
  workers[1]!.begin();
  workers[1]!.answer();
  expect(await next).toBe('next');
});

test('the timeout counts from the start, not from the submission', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const slow = scheduler.submit(task('slow', { timeout: 100 }));
  await vi.advanceTimersByTimeAsync(1_000);
  workers[0]!.open();
  await turn();
  workers[0]!.begin();
  await vi.advanceTimersByTimeAsync(99);
  workers[0]!.answer();
  expect(await slow).toBe('slow');
  expect(vi.getTimerCount()).toBe(0);
});

test('the minimum is kept, but not with workers that die before they were of any use', async () => {
  const { scheduler, workers } = setUp({ minWorkers: 1 });
  workers[0]!.open();
  await turn();
  void scheduler.submit(task('one'));
  workers[0]!.begin();
  workers[0]!.answer();
  await turn();
  workers[0]!.die();
  await turn();
  expect(workers).toHaveLength(2);
  workers[1]!.open();
  await turn();
  workers[1]!.die();
  await turn();
  expect(workers).toHaveLength(2);
});

test('tasks are left to the workers that live when another cannot start', async () => {
  const { scheduler, workers } = setUp();
  const tasks = [1, 2].map((item) => scheduler.submit(task(item)));
  workers[0]!.open();
  await turn();
  workers[1]!.die();
  await turn();
  for (const expected of [1, 2]) {
    workers[0]!.begin();
    workers[0]!.answer();
    expect(await tasks[expected - 1]).toBe(expected);
    await turn();
  }
});

type Step =
  | { do: 'submit'; priority: number; timeout: number | undefined; waitOnly: boolean }
  | { do: 'open' | 'begin' | 'answer' | 'refuse' | 'die'; worker: number }
  | { do: 'abort'; task: number }
  | { do: 'pass'; ms: number }
  | { do: 'close'; force: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      priority: fc.nat(2),
      timeout: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
      waitOnly: fc.boolean(),
    }),
  },
  {
    weight: 70,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'open' as const,
        'begin' as const,
        'answer' as const,
        'answer' as const,
        'refuse' as const,
        'die' as const,
      ),
      worker: fc.nat(20),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('abort' as const), task: fc.nat(40) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), force: fc.boolean() }) },
);

test('under any interleaving: never too many workers, each task starts at most once and settles exactly once, and close ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }),
      fc.record({
        minWorkers: fc.nat(2),
        maxWorkers: fc.integer({ min: 2, max: 3 }),
        maxQueue: fc.constantFrom(0, 3, Infinity),
        maxTasksPerWorker: fc.constantFrom(1, 3, Infinity),
        idleTimeout: fc.constantFrom(20, Infinity),
      }),
      async (steps, options) => {
        vi.clearAllTimers();
        const clock = new ManualClock();
        const { scheduler, workers } = setUp({ ...options, clock });
        const starts = new Map<unknown, number>();
        const settled = new Map<number, number>();
        const controllers: AbortController[] = [];
        let submitted = 0;
        const check = (): void => {
          expect(workers.filter(({ gone }) => !gone).length).toBeLessThanOrEqual(options.maxWorkers);
          expect(scheduler.counts.running).toBeLessThanOrEqual(options.maxWorkers);
          expect(scheduler.counts.waiting).toBeLessThanOrEqual(options.maxQueue + options.maxWorkers);
          for (const times of starts.values()) expect(times).toBe(1);
        };
        const submit = (each: Extract<Step, { do: 'submit' }>): void => {
          const id = submitted++;
          const controller = new AbortController();
          controllers.push(controller);
          const signals = each.waitOnly ? { waitSignal: controller.signal } : { signal: controller.signal };
          const count = (): void => void settled.set(id, (settled.get(id) ?? 0) + 1);
          try {
            scheduler
              .submit(task(id, { priority: each.priority, timeout: each.timeout ?? Infinity, ...signals }))
              .then((value) => {
                expect(value).toBe(id);
                expect(starts.get(id)).toBe(1);
                count();
              }, count);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching('PERF_POOL_(CLOSED|QUEUE_FULL)') as string });
            count();
          }
        };
        const act = async (each: Step): Promise<void> => {
          if (each.do === 'submit') submit(each);
          else if (each.do === 'abort') controllers[each.task]?.abort();
          else if (each.do === 'close') void scheduler.close(each.force);
          else if (each.do === 'pass') {
            clock.advance(each.ms);
            await vi.advanceTimersByTimeAsync(each.ms);
          } else {
            const live = workers.filter(({ gone }) => !gone);
            const worker = live[each.worker % Math.max(1, live.length)];
            if (each.do === 'begin') {
              const frame = worker?.begin();
              if (frame && !worker?.terminated) expect(settled.has(frame.items[0] as number)).toBe(false);
              if (frame) starts.set(frame.items[0], (starts.get(frame.items[0]) ?? 0) + 1);
            } else worker?.[each.do]();
          }
          await turn();
        };
        for (const each of steps) {
          await act(each);
          check();
        }
        const closed = scheduler.close(false);
        for (let round = 0; scheduler.counts.workers + scheduler.counts.waiting > 0; round++) {
          expect(round).toBeLessThan(500);
          for (const [index, worker] of workers.entries()) {
            if (worker.gone) continue;
            const at = workers.slice(0, index).filter(({ gone }) => !gone).length;
            if (worker.terminated) await act({ do: 'die', worker: at });
            else for (const next of ['open', 'begin', 'answer'] as const) await act({ do: next, worker: at });
          }
          check();
        }
        await closed;
        expect(settled.size).toBe(submitted);
        for (const times of settled.values()) expect(times).toBe(1);
        expect(() => scheduler.submit(task('late'))).toThrow(ClosedError);
        expect(vi.getTimerCount()).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});
