import { AbortGroups } from '@perf/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CallTable } from '../src/call-table.ts';
import { PoolTask } from '../src/pool-task.ts';
import { TaskQueue } from '../src/task-queue.ts';

const call = new CallTable('file:///tasks.js').get('default');
const signals = new AbortGroups<PoolTask>(() => {});
const make = (item: number, priority: number): PoolTask => {
  const how = { call, priority, timeout: Infinity, timeoutFrom: 'start', restartable: false } as const;
  return new PoolTask({ how, item, carried: undefined }, 0, signals);
};

type Step =
  | { do: 'push'; priority: number }
  | { do: 'shift' }
  | { do: 'remove' | 'restore'; which: number }
  | { do: 'pass'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('push' as const), priority: fc.constantFrom(0, 0, 0, 1, -1, 2) }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'shift' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'restore' as const), which: fc.nat(50) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 500, 1_500) }) },
);

test('tasks leave by rank, equal ones as they came, like from a sorted list', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const queue = new TaskQueue();
      let model: { task: PoolTask; rank: number; order: number }[] = [];
      const left: typeof model = [];
      let now = 0;
      let order = 0;
      const sort = (): void => void model.sort((one, other) => one.rank - other.rank || one.order - other.order);
      for (const each of steps) {
        if (each.do === 'pass') now += each.ms;
        else if (each.do === 'push') {
          const task = make(order, each.priority);
          queue.push(task, each.priority, now);
          model.push({ task, rank: now - each.priority * 1_000, order: order++ });
          sort();
        } else if (each.do === 'shift') {
          expect(queue.peek()?.item).toBe(model[0]?.task.item);
          expect(queue.shift()).toBe(model[0]?.task);
          const [gone] = model.splice(0, 1);
          if (gone) left.push(gone);
        } else if (each.do === 'remove' && model.length > 0) {
          const [gone] = model.splice(each.which % model.length, 1);
          queue.remove(gone!.task);
          queue.remove(gone!.task);
          left.push(gone!);
        } else if (each.do === 'restore' && left.length > 0) {
          const [back] = left.splice(each.which % left.length, 1);
          queue.restore(back!.task);
          model.push(back!);
          sort();
        }
        expect(queue.size).toBe(model.length);
      }
      while (model.length > 0) expect(queue.shift()).toBe(model.shift()!.task);
      expect(queue.shift()).toBeUndefined();
      model = [];
    }),
    { numRuns: 300 },
  );
});

test('100,000 tasks come and go in line, and the line is let go', () => {
  const queue = new TaskQueue();
  const tasks = Array.from({ length: 100_000 }, (_, item) => make(item, 0));
  for (const [now, task] of tasks.entries()) queue.push(task, 0, now);
  for (const task of tasks.filter((_, index) => index % 3 === 1)) queue.remove(task);
  for (const [index, task] of tasks.entries()) if (index % 3 !== 1) expect(queue.shift()).toBe(task);
  expect(queue.size).toBe(0);
});
