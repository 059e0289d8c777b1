import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Planned, planCall } from '../src/durable-plan.ts';

interface Planable extends Planned {
  readonly number: number;
  attempt: number;
  readyAt: number;
  cap: number;
}

const operation = fc.record({
  key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
  group: fc.constantFrom('read', 'write'),
});
const limits = fc.record({ maxSize: fc.integer({ min: 1, max: 6 }), maxPerKey: fc.integer({ min: 1, max: 3 }) });

const line = (ops: readonly { key: string | undefined; group: string }[]): Planable[] =>
  ops.map(({ key, group }, number) => ({ number, orderingKey: key, group, attempt: 1, readyAt: 0, cap: 10 }));

describe('which operations a worker executes next', () => {
  test('are the first ones, of one group, and one of each key', () => {
    const ops = line([
      { key: 'a', group: 'write' },
      { key: 'a', group: 'write' },
      { key: 'b', group: 'read' },
      { key: 'b', group: 'write' },
      { key: 'c', group: 'write' },
      { key: undefined, group: 'write' },
    ]);
    const { call } = planCall(ops, { now: 0, maxSize: 10, maxPerKey: 1 });
    // Number 3 waits for number 2, which is of another group.
    expect(call.map(({ number }) => number)).toEqual([0, 4, 5]);
  });

  test('are none while all that may come next have to wait, until the first of them may', () => {
    const ops = line([
      { key: 'a', group: 'write' },
      { key: 'a', group: 'write' },
      { key: 'b', group: 'write' },
    ]);
    Object.assign(ops[0] as Planable, { readyAt: 30 });
    Object.assign(ops[2] as Planable, { readyAt: 20 });
    expect(planCall(ops, { now: 10, maxSize: 10, maxPerKey: 1 })).toEqual({ call: [], readyAt: 20 });
  });

  test('never break the order of a key, whatever fails and waits, and all are executed in the end', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 30 }),
        limits,
        fc.infiniteStream(fc.record({ fails: fc.nat(3), wait: fc.nat(5), cap: fc.integer({ min: 1, max: 6 }) })),
        (ops, { maxSize, maxPerKey }, fates) => {
          let waiting = line(ops);
          const done: Planable[] = [];
          for (let now = 0; waiting.length > 0;) {
            const { call, readyAt } = planCall(waiting, { now, maxSize, maxPerKey });
            if (call.length === 0) {
              expect(readyAt).toBeGreaterThan(now);
              expect(readyAt).toBeLessThan(Infinity);
              now = readyAt;
              continue;
            }
            const [first] = call as [Planable];
            expect(call.length).toBeLessThanOrEqual(Math.min(maxSize, first.cap));
            const { fails, wait, cap } = fates.next().value;
            for (const each of call) {
              expect([each.group, each.attempt, each.cap]).toEqual([first.group, first.attempt, first.cap]);
              expect(each.readyAt).toBeLessThanOrEqual(now);
              expect(
                call.filter(({ orderingKey }) => orderingKey === each.orderingKey && orderingKey !== undefined).length,
              ).toBeLessThanOrEqual(maxPerKey);
            }
            // All of a call fail or none does: else the one that judges would not try again what was overtaken.
            if (fails === 0 && first.attempt < 5) {
              for (const each of call) Object.assign(each, { attempt: each.attempt + 1, readyAt: now + wait, cap });
            } else {
              done.push(...call);
              waiting = waiting.filter((each) => !call.includes(each));
            }
          }
          for (const key of ['a', 'b', 'c']) {
            const numbers = done.filter(({ orderingKey }) => orderingKey === key).map(({ number }) => number);
            expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
          }
          expect(done).toHaveLength(ops.length);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
