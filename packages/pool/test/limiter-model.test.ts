import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { ManualClock } from '@perf/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Limiter } from '../src/index.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Command =
  | { readonly do: 'run'; readonly weight: number; readonly priority: number; readonly signal: number; sync: boolean }
  | { readonly do: 'finish' | 'fail' | 'abort'; readonly at: number }
  | { readonly do: 'resize'; readonly to: number }
  | { readonly do: 'wait'; readonly ms: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      weight: fc.integer({ min: 1, max: 3 }),
      priority: fc.integer({ min: -1, max: 1 }),
      signal: fc.nat(5),
      sync: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('finish' as const, 'fail' as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), at: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), to: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 1_500 }) }) },
);

interface Job {
  readonly id: number;
  readonly weight: number;
  readonly sync: boolean;
  readonly rank: number;
  readonly signal: AbortSignal;
  readonly gate: PromiseWithResolvers<string>;
  state: 'waiting' | 'running' | 'ended';
}

/** What a limiter should do, in the plainest way. */
class Model {
  readonly clock = new ManualClock();
  readonly limiter = new Limiter({ maxConcurrent: 3, maxQueue: 8, clock: this.clock });
  readonly context = new AsyncLocalStorage<number>();
  readonly jobs: Job[] = [];
  readonly started: number[] = [];
  readonly outcomes = new Map<number, unknown>();
  controllers = Array.from({ length: 6 }, () => new AbortController());
  limit = 3;

  get running(): Job[] {
    return this.jobs.filter(({ state }) => state === 'running');
  }

  run({ weight, priority, signal: at, sync }: Extract<Command, { do: 'run' }>): void {
    const { signal } = this.controllers[at] as AbortController;
    const rank = Math.trunc(this.clock.now()) - priority * 1_000;
    const gate = Promise.withResolvers<string>();
    const job: Job = { id: this.jobs.length, weight, sync, rank, signal, gate, state: 'waiting' };
    this.jobs.push(job);
    const fn = (): string | Promise<string> => {
      expect(this.context.getStore()).toBe(job.id);
      expect(job.state).toBe('waiting');
      job.state = sync ? 'ended' : 'running';
      this.started.push(job.id);
      return sync ? 'at once' : gate.promise;
    };
    const end = (outcome: unknown): void => {
      expect(this.outcomes.has(job.id)).toBe(false);
      this.outcomes.set(job.id, outcome);
      job.state = 'ended';
    };
    this.context.run(job.id, () => void this.limiter.run(fn, { weight, priority, signal }).then(end, end));
  }

  do(each: Command): void {
    if (each.do === 'run') this.run(each);
    else if (each.do === 'resize') this.limiter.maxConcurrent = this.limit = each.to;
    else if (each.do === 'wait') this.clock.advance(each.ms);
    else if (each.do === 'abort') {
      this.controllers[each.at]?.abort(`reason ${each.at}`);
      this.controllers[each.at] = new AbortController();
    } else {
      const job = this.running[each.at % Math.max(1, this.running.length)];
      if (each.do === 'finish') job?.gate.resolve('done');
      else job?.gate.reject('failed');
    }
  }

  /** Nobody started who came after, by rank, somebody who still waits. */
  checkOrder(startedBefore: number): void {
    const waiting = this.jobs.filter(({ state }) => state === 'waiting');
    for (const id of this.started.slice(startedBefore)) {
      const { rank } = this.jobs[id] as Job;
      for (const other of waiting) {
        expect(other.rank < rank || (other.rank === rank && other.id < id)).toBe(false);
      }
    }
  }

  check(before: { started: number; inUse: number }): void {
    const stats = this.limiter.stats();
    const inUse = this.running.reduce((sum, { weight }) => sum + weight, 0);
    expect(stats).toMatchObject({ running: this.running.length, inUse });
    expect(stats.waiting).toBe(this.jobs.filter(({ state }) => state === 'waiting').length);
    expect(stats.waiting).toBeLessThanOrEqual(8);
    // After the limit shrank, what runs goes on, and one that is heavier than all of it runs alone.
    const isAlone = this.running.length === 1;
    if (inUse > before.inUse && !isAlone) expect(inUse).toBeLessThanOrEqual(this.limit);
    if (stats.waiting > 0) expect(stats.running).toBeGreaterThan(0);
    this.checkOrder(before.started);
  }
}

test('a limiter under any mix of calls, ends, aborts and resizes: fair, never above the limit, each call settles once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 60, size: 'max' }),
      fc.constantFrom('drain', 'force'),
      async (commands, end) => {
        const model = new Model();
        for (const each of commands) {
          const before = { started: model.started.length, inUse: model.limiter.stats().inUse };
          model.do(each);
          await tick();
          model.check(before);
        }
        const closed = model.limiter.close({ force: end === 'force' });
        await expect(model.limiter.run(() => 'late')).rejects.toMatchObject({ code: 'PERF_POOL_CLOSED' });
        while (model.running.length > 0) {
          for (const { gate } of model.running) gate.resolve('done');
          await tick();
        }
        await closed;
        expect(model.outcomes.size).toBe(model.jobs.length);
        for (const { signal } of model.jobs) expect(getEventListeners(signal, 'abort')).toEqual([]);
        expect(model.limiter.stats()).toMatchObject({ running: 0, inUse: 0, waiting: 0 });
      },
    ),
    { numRuns: 200 },
  );
});
