import { type Clock, ClosedError, systemClock } from '@perf/core';
import { CallTable } from '../src/call-table.ts';
import { ManualClock } from '@perf/testkit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type WorkerExit, WorkerExitError, WorkerStartError } from '../src/errors.ts';
import { Scheduler, type SchedulerSettings } from '../src/scheduler.ts';
import { TaskLog } from '../src/task-log.ts';
import { type Answer, InputFailure, type Shipment, type WorkerHandle } from '../src/worker-handle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const EXIT: WorkerExit = { exitCode: 1, signalCode: undefined };

type State = 'pending' | 'started' | 'done' | 'revoked' | 'skipped';

/** A worker that does what the test says: like a thread, it runs what it was sent in order, and passes by what was taken back. */
class FakeWorker implements WorkerHandle {
  readonly #opened = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<WorkerExit>();
  readonly opened = this.#opened.promise;
  readonly exited = this.#exited.promise;
  readonly window = 8;
  heap = 0;
  onRing = (): void => {};
  gone = false;
  ready = false;
  terminated = false;
  released = false;
  /** Refuses frames that hold one of these. */
  uncloneable = new Set<unknown>();
  readonly clock: Clock;
  /** Number of its first task: those after 2^31 - 1 are negative, as those of a thread. */
  first = 0;
  /** Told of what is sent, while it is copied. */
  onSend = (_items: readonly unknown[]): void => {};
  readonly cells: { item: unknown; state: State; startedAt: number; endedAt: number }[] = [];
  #answered = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.opened.catch(() => {});
  }

  open(): void {
    if (this.gone || this.terminated) return;
    this.ready = true;
    this.#opened.resolve();
  }

  send(tasks: readonly Shipment[]): number {
    expect(this.terminated).toBe(false);
    if (tasks.some(({ item }) => this.uncloneable.has(item))) throw new InputFailure(new Error('no clone'));
    this.onSend(tasks.map(({ item }) => item));
    const first = (this.first + this.cells.length) | 0;
    for (const { item } of tasks) this.cells.push({ item, state: 'pending', startedAt: 0, endedAt: 0 });
    expect(this.cells.length - this.#answered).toBeLessThanOrEqual(this.window);
    return first;
  }

  answer(sequence: number): Answer | undefined {
    expect(this.#place(sequence)).toBe(this.#answered);
    const { item, state, startedAt, endedAt } = this.cells[this.#answered]!;
    if (state !== 'done' && state !== 'skipped') return undefined;
    this.#answered++;
    return { outcome: state === 'done' ? [item] : undefined, startedAt, endedAt };
  }

  startOf(sequence: number): number | undefined {
    const { state, startedAt } = this.cells[this.#place(sequence)]!;
    return state === 'started' ? startedAt : undefined;
  }

  revoke(sequence: number): boolean {
    const cell = this.cells[this.#place(sequence)]!;
    if (cell.state !== 'pending') return false;
    cell.state = 'revoked';
    return true;
  }

  #place(sequence: number): number {
    return (sequence - this.first) | 0;
  }

  get #current(): FakeWorker['cells'][number] | undefined {
    return this.cells.find(({ state }) => state !== 'done' && state !== 'skipped');
  }

  /** Starts its next task, and says which. */
  begin(): { item: unknown } | undefined {
    for (let cell = this.#current; cell && !this.gone; cell = this.#current) {
      if (cell.state === 'started') return undefined;
      if (cell.state === 'revoked') cell.state = 'skipped';
      else {
        cell.state = 'started';
        cell.startedAt = this.clock.now();
        return cell;
      }
    }
    if (!this.gone) this.onRing();
    return undefined;
  }

  answerNow(): void {
    const cell = this.#current;
    if (cell?.state !== 'started' || this.gone) return;
    cell.state = 'done';
    cell.endedAt = this.clock.now();
    this.onRing();
  }

  /** It is done with its task, and does not say so. */
  finishSilently(): void {
    const cell = this.#current;
    if (cell?.state === 'started' && !this.gone) cell.state = 'done';
  }

  terminate(): void {
    this.terminated = true;
  }

  release(): void {
    expect(this.gone).toBe(true);
    this.released = true;
  }

  die(): void {
    if (this.gone) return;
    this.gone = true;
    this.#exited.resolve(EXIT);
    if (!this.ready) void this.exited.then(() => this.#opened.reject(new WorkerStartError(EXIT)));
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
    maxHeapPerWorker: Infinity,
    coalesce: true,
    clock: systemClock,
    log: new TaskLog({ waited: () => {}, ran: () => {}, sent: () => {} }),
    startWorker: () => {
      const worker = new FakeWorker(options.clock ?? systemClock);
      workers.push(worker);
      return worker;
    },
    ...options,
  });
  return { scheduler, workers };
}

const calls = new CallTable('file:///tasks.js');
const task = (item: unknown, extra: object = {}) =>
  ({
    how: {
      call: calls.get('default'),
      timeout: Infinity,
      timeoutFrom: 'start',
      priority: 0,
      restartable: false,
      ...extra,
    },
    item,
    carried: undefined,
  }) as const;
const turn = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => {});

test('a worker is started for each task that has none, up to the maximum', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 3 });
  for (const item of [1, 2, 3, 4, 5]) void scheduler.submit(task(item));
  await turn();
  expect(workers).toHaveLength(3);
  workers[0]!.open();
  await turn();
  expect(scheduler.counts).toEqual({ workers: 3, idle: 0, starting: 2, running: 1, waiting: 4 });
});

test('a task whose worker died before it started runs elsewhere, before those that came later', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const tasks = ['first', 'second'].map((item) => scheduler.submit(task(item)));
  await turn();
  workers[0]!.open();
  await turn();
  workers[0]!.die();
  await turn();
  workers[1]!.open();
  await turn();
  expect(workers[1]!.begin()?.item).toBe('first');
  workers[1]!.answerNow();
  expect(await tasks[0]).toBe('first');
});

test('a worker serves more than 2^31 tasks, two frames at a time', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const first = scheduler.submit(task(0));
  await turn();
  const [worker] = workers as [FakeWorker];
  worker.first = 2 ** 31 - 3;
  worker.open();
  await turn();
  worker.begin();
  worker.answerNow();
  await first;
  const tasks = Array.from({ length: 20 }, (_, item) => scheduler.submit(task(item)));
  await turn();
  for (let item = 0; item < 20; item++) {
    // While tasks wait, one frame waits behind the other.
    if (scheduler.counts.waiting > 0) expect(scheduler.counts.running).toBeGreaterThan(1);
    expect(worker.begin()?.item).toBe(item);
    worker.answerNow();
    await turn();
  }
  expect(await Promise.all(tasks)).toHaveLength(20);
});

test('a worker that is ended while its task is being copied does not run it', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const outcome = scheduler.submit(task('closer')).catch((error: unknown) => error);
  await turn();
  const [worker] = workers as [FakeWorker];
  let closed: Promise<void> | undefined;
  worker.onSend = () => void (closed ??= scheduler.close(true));
  worker.open();
  await turn();
  expect(worker.terminated).toBe(true);
  worker.die();
  await turn();
  expect(await outcome).toBeInstanceOf(ClosedError);
  await closed;
  expect(workers).toHaveLength(1);
});

test('a task that is given up while it is copied is not run', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const controller = new AbortController();
  const outcome = scheduler.submit(task('own', { signal: controller.signal })).catch((error: unknown) => error);
  await turn();
  const [worker] = workers as [FakeWorker];
  worker.onSend = () => controller.abort('gone');
  worker.open();
  await turn();
  expect(await outcome).toBe('gone');
  expect(worker.begin()).toBe(undefined);
  expect(scheduler.counts).toMatchObject({ running: 0, waiting: 0, idle: 1 });
});

test('a task whose workers keep dying before it starts is given up', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const outcome = scheduler.submit(task('poison')).catch((error: unknown) => error);
  await turn();
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
  await turn();
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
  workers[1]!.answerNow();
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
  workers[0]!.answerNow();
  expect(await slow).toBe('slow');
  expect(vi.getTimerCount()).toBe(0);
});

test('the minimum is kept, but not with workers that die before they were of any use', async () => {
  const { scheduler, workers } = setUp({ minWorkers: 1 });
  workers[0]!.open();
  await turn();
  void scheduler.submit(task('one'));
  await turn();
  workers[0]!.begin();
  workers[0]!.answerNow();
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
  await turn();
  workers[0]!.open();
  await turn();
  workers[1]!.die();
  await turn();
  for (const expected of [1, 2]) {
    workers[0]!.begin();
    workers[0]!.answerNow();
    expect(await tasks[expected - 1]).toBe(expected);
    await turn();
  }
});

describe('tasks that travel together', () => {
  const fast = (): CallTable => {
    const table = new CallTable('file:///tasks.js');
    table.get('fast').learn(0.01);
    return table;
  };
  /** One worker that has `items` of a fast function in one frame. */
  async function frameOf(items: readonly unknown[], options: Partial<SchedulerSettings> = {}) {
    const { scheduler, workers } = setUp({ maxWorkers: 1, ...options });
    const call = fast().get('fast');
    const submit = (item: unknown, extra: object = {}): Promise<unknown> => {
      const outcome = scheduler.submit(task(item, { call, ...extra }));
      outcome.catch(() => {});
      return outcome;
    };
    // The first of them takes the worker alone, as half of what waits is left for others.
    const blocker = submit('blocker');
    await turn();
    workers[0]!.open();
    await turn();
    workers[0]!.begin();
    const controllers = items.map(() => new AbortController());
    const outcomes = items.map((item, index) => submit(item, { signal: controllers[index]!.signal }));
    await turn();
    workers[0]!.answerNow();
    await blocker;
    await turn();
    const [worker] = workers as [FakeWorker];
    return { scheduler, workers, worker, outcomes, controllers, submit };
  }
  const items = ['a', 'b', 'c', 'd', 'e', 'f'];
  const inFlight = (worker: FakeWorker): unknown[] =>
    worker.cells.filter(({ state }) => state === 'pending').map(({ item }) => item);

  test('are sent as two frames at most, of half of what waits each', async () => {
    const { worker, scheduler } = await frameOf(items);
    expect(inFlight(worker)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(scheduler.counts).toMatchObject({ running: 5, waiting: 1 });
  });

  test('one that is aborted before it starts is passed by; nobody is harmed', async () => {
    const { worker, workers, outcomes, controllers } = await frameOf(items);
    controllers[1]!.abort('enough');
    await expect(outcomes[1]).rejects.toBe('enough');
    for (let step = 0; step < 6; step++) {
      worker.begin();
      worker.answerNow();
      await turn();
    }
    expect(await Promise.allSettled(outcomes)).toMatchObject([
      { value: 'a' },
      { reason: 'enough' },
      ...['c', 'd', 'e', 'f'].map((value) => ({ value })),
    ]);
    expect(worker.terminated).toBe(false);
    expect(workers).toHaveLength(1);
  });

  test('one that is aborted while it runs ends the worker; those before it keep their results, those behind it run elsewhere, once', async () => {
    const { worker, workers, outcomes, controllers } = await frameOf(items);
    worker.begin();
    worker.finishSilently();
    worker.begin();
    controllers[1]!.abort('enough');
    await expect(outcomes[1]).rejects.toBe('enough');
    expect(await outcomes[0]).toBe('a');
    expect(worker.terminated).toBe(true);
    // The worker is on its way out, and can start nothing any more.
    expect(inFlight(worker)).toEqual([]);
    worker.die();
    await turn();
    workers[1]!.open();
    await turn();
    const started: unknown[] = [];
    for (let step = 0; step < 4; step++) {
      started.push(workers[1]!.begin()?.item);
      workers[1]!.answerNow();
      await turn();
    }
    expect(started).toEqual(['c', 'd', 'e', 'f']);
    expect(await Promise.all(outcomes.slice(2))).toEqual(started);
  });

  test('one that is aborted when it is just done costs nobody a worker', async () => {
    const { worker, outcomes, controllers } = await frameOf(items);
    worker.begin();
    worker.finishSilently();
    worker.begin();
    controllers[0]!.abort('too late');
    await expect(outcomes[0]).rejects.toBe('too late');
    expect(worker.terminated).toBe(false);
    worker.answerNow();
    expect(await outcomes[1]).toBe('b');
  });

  test('when the worker dies: what was done is kept, what ran rejects, and the rest runs elsewhere', async () => {
    const { worker, workers, outcomes } = await frameOf(items);
    for (let done = 0; done < 2; done++) {
      worker.begin();
      worker.finishSilently();
    }
    worker.begin();
    worker.die();
    await expect(outcomes[2]).rejects.toThrow(WorkerExitError);
    expect(await Promise.all(outcomes.slice(0, 2))).toEqual(['a', 'b']);
    workers[1]!.open();
    await turn();
    for (let step = 0; step < 3; step++) {
      workers[1]!.begin();
      workers[1]!.answerNow();
      await turn();
    }
    expect(await Promise.all(outcomes.slice(3))).toEqual(['d', 'e', 'f']);
  });

  test('one that runs for longer than all of them should is left alone: the others go to workers that have time', async () => {
    const { scheduler, worker, workers, outcomes, submit } = await frameOf(items, { maxWorkers: 2 });
    worker.begin();
    void submit('g');
    await turn();
    workers[1]!.open();
    await turn();
    await vi.advanceTimersByTimeAsync(20);
    const started = new Set<unknown>();
    for (let step = 0; step < 8; step++) {
      started.add(workers[1]!.begin()?.item);
      workers[1]!.answerNow();
      await turn();
    }
    for (const item of ['b', 'c', 'd', 'e', 'f', 'g']) expect(started).toContain(item);
    expect(await Promise.all(outcomes.slice(1))).toEqual(items.slice(1));
    expect(worker.terminated).toBe(false);
    expect(scheduler.counts).toMatchObject({ running: 1, waiting: 0 });
  });

  test('a result does not wait for a slow neighbour to be done', async () => {
    const { worker, outcomes } = await frameOf(items);
    worker.begin();
    worker.finishSilently();
    worker.begin();
    await vi.advanceTimersByTimeAsync(20);
    expect(await outcomes[0]).toBe('a');
  });

  test('one that cannot be cloned fails alone', async () => {
    const { scheduler, worker, submit } = await frameOf([]);
    worker.uncloneable.add('bad');
    const outcomes = ['x', 'bad', 'y'].map((item) => submit(item));
    await turn();
    await expect(outcomes[1]).rejects.toMatchObject({ code: 'PERF_POOL_CLONE', direction: 'input' });
    for (let step = 0; step < 2; step++) {
      worker.begin();
      worker.answerNow();
      await turn();
    }
    expect(await outcomes[0]).toBe('x');
    expect(await outcomes[2]).toBe('y');
    expect(scheduler.counts).toMatchObject({ running: 0, waiting: 0 });
  });

  test('nothing travels together unless it may', async () => {
    const { worker } = await frameOf(items, { coalesce: false });
    expect(inFlight(worker)).toEqual(['a']);
  });

  test('a timeout counts from the start of each', async () => {
    const { worker, outcomes, submit } = await frameOf([], {});
    const limited = ['x', 'y'].map((item) => submit(item, { timeout: 100 }));
    await turn();
    worker.begin();
    await vi.advanceTimersByTimeAsync(90);
    worker.answerNow();
    await turn();
    expect(await limited[0]).toBe('x');
    worker.begin();
    await vi.advanceTimersByTimeAsync(90);
    expect(worker.terminated).toBe(false);
    await vi.advanceTimersByTimeAsync(11);
    await expect(limited[1]).rejects.toMatchObject({ code: 'PERF_POOL_TASK_TIMEOUT', timeout: 100 });
    expect(worker.terminated).toBe(true);
    expect(outcomes).toEqual([]);
  });
});

test('a timeout from the submission holds while a task waits, too', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const slow = scheduler.submit(task('slow', { timeout: 100, timeoutFrom: 'submit' })).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(100);
  expect(await slow).toMatchObject({
    code: 'PERF_POOL_TASK_TIMEOUT',
    message: expect.stringContaining('not done') as string,
  });
  expect(workers[0]!.terminated).toBe(false);
  expect(scheduler.counts).toMatchObject({ waiting: 0, running: 0 });
});

test('a task that may be started again is, twice', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const outcome = scheduler.submit(task('again', { restartable: true })).catch((error: unknown) => error);
  for (let round = 0; round < 3; round++) {
    await turn();
    workers.at(-1)!.open();
    await turn();
    expect(workers.at(-1)!.begin()?.item).toBe('again');
    workers.at(-1)!.die();
  }
  expect(await outcome).toBeInstanceOf(WorkerExitError);
  expect(workers).toHaveLength(3);
});

test('a worker whose heap has grown too large is replaced when it is done', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1, maxHeapPerWorker: 1_000 });
  const first = scheduler.submit(task('first'));
  await turn();
  workers[0]!.open();
  await turn();
  workers[0]!.heap = 1_001;
  workers[0]!.begin();
  workers[0]!.answerNow();
  expect(await first).toBe('first');
  expect(workers[0]!.terminated).toBe(true);
  const second = scheduler.submit(task('second'));
  workers[0]!.die();
  await turn();
  workers[1]!.open();
  await turn();
  workers[1]!.begin();
  workers[1]!.answerNow();
  expect(await second).toBe('second');
});

test('a worker that does not even start a task with a timeout is replaced, and the task is not blamed', async () => {
  const { scheduler, workers } = setUp({ maxWorkers: 1 });
  const outcome = scheduler.submit(task('patient', { timeout: 100 }));
  await turn();
  workers[0]!.open();
  await vi.advanceTimersByTimeAsync(900);
  expect(workers[0]!.terminated).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(workers[0]!.terminated).toBe(true);
  workers[0]!.die();
  await turn();
  workers[1]!.open();
  await turn();
  expect(workers[1]!.begin()?.item).toBe('patient');
  workers[1]!.answerNow();
  expect(await outcome).toBe('patient');
});

test('low priorities are not starved by a flood of high ones', async () => {
  const clock = new ManualClock();
  const { scheduler, workers } = setUp({ maxWorkers: 1, clock });
  let done = false;
  void scheduler.submit(task('low')).then(() => (done = true));
  await turn();
  workers[0]!.open();
  let rounds = 0;
  for (; !done && rounds < 100; rounds++) {
    clock.advance(100);
    void scheduler.submit(task(`high ${rounds}`, { priority: 3 }));
    void scheduler.submit(task(`high too ${rounds}`, { priority: 3 }));
    await turn();
    workers[0]!.begin();
    workers[0]!.answerNow();
    await turn();
  }
  // One point is worth a second: those that came more than three seconds later wait behind it.
  expect(rounds).toBeLessThan(70);
});

type Step =
  | {
      do: 'submit';
      priority: number;
      timeout: number | undefined;
      from: 'start' | 'submit';
      waitOnly: boolean;
      bad: boolean;
      fast: boolean;
    }
  | { do: 'open' | 'begin' | 'answerNow' | 'finishSilently' | 'die'; worker: number }
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
      from: fc.constantFrom('start' as const, 'submit' as const),
      waitOnly: fc.boolean(),
      bad: fc.nat(9).map((n) => n === 0),
      fast: fc.nat(4).map((n) => n > 0),
    }),
  },
  {
    weight: 70,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'open' as const,
        'begin' as const,
        'begin' as const,
        'answerNow' as const,
        'answerNow' as const,
        'finishSilently' as const,
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
        const bad = new Set<unknown>();
        const table = new CallTable('file:///tasks.js');
        // Short enough for frames of several.
        table.get('fast').learn(0.01);
        const { scheduler, workers } = setUp({ ...options, clock });
        const starts = new Map<unknown, number>();
        const settled = new Map<number, number>();
        const controllers: AbortController[] = [];
        let submitted = 0;
        const check = (): void => {
          expect(workers.filter(({ gone }) => !gone).length).toBeLessThanOrEqual(options.maxWorkers);
          const { running, waiting } = scheduler.counts;
          expect(running + waiting).toBeLessThanOrEqual(options.maxQueue + options.maxWorkers);
          expect(running).toBeGreaterThanOrEqual(0);
          for (const worker of workers) worker.uncloneable = bad;
          for (const times of starts.values()) expect(times).toBe(1);
        };
        const submit = (each: Extract<Step, { do: 'submit' }>): void => {
          const id = submitted++;
          const controller = new AbortController();
          controllers.push(controller);
          const signals = each.waitOnly ? { waitSignal: controller.signal } : { signal: controller.signal };
          if (each.bad) bad.add(id);
          const call = table.get(each.fast ? 'fast' : 'slow');
          const facts = { call, priority: each.priority, timeout: each.timeout ?? Infinity, timeoutFrom: each.from };
          const count = (): void => void settled.set(id, (settled.get(id) ?? 0) + 1);
          try {
            scheduler.submit(task(id, { ...facts, ...signals })).then((value) => {
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
              const begun = worker?.begin();
              if (begun && !worker?.terminated) expect(settled.has(begun.item as number)).toBe(false);
              if (begun) starts.set(begun.item, (starts.get(begun.item) ?? 0) + 1);
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
            else for (const next of ['open', 'begin', 'answerNow'] as const) await act({ do: next, worker: at });
          }
          check();
        }
        await closed;
        await turn();
        for (const worker of workers) expect(worker.released).toBe(true);
        expect(settled.size).toBe(submitted);
        for (const times of settled.values()) expect(times).toBe(1);
        expect(() => scheduler.submit(task('late'))).toThrow(ClosedError);
        expect(vi.getTimerCount()).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});
