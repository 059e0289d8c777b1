import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PlannedCall, planBatch } from '../src/batch-plan.ts';

const call = (writes: boolean, subject?: string, server = 's'): PlannedCall => ({ server, writes, subject });

test('calls on different subjects share one wave, reads and writes alike', () => {
  const plan = planBatch([call(true, 'a'), call(false, 'a'), call(true, 'b'), call(false, 'c')]);
  expect(plan).toEqual(new Map([['s', [[0, 1, 2, 3]]]]));
});

test('a write that may touch anything stands alone, in its place', () => {
  const plan = planBatch([call(false, 'a'), call(true), call(false, 'a'), call(false), call(false, 'b')]);
  expect(plan).toEqual(new Map([['s', [[0], [1], [2, 3, 4]]]]));
});

test('reads of anything run side by side, until something is written', () => {
  const plan = planBatch([call(false), call(false), call(true, 'a'), call(true, 'b'), call(false)]);
  expect(plan).toEqual(new Map([['s', [[0, 1], [2, 3], [4]]]]));
});

test('servers do not wait for each other', () => {
  const plan = planBatch([call(true, undefined, 'x'), call(true, undefined, 'y'), call(true, undefined, 'x')]);
  expect([...plan]).toEqual([
    ['x', [[0], [2]]],
    ['y', [[1]]],
  ]);
});

test('whatever the batch, each call is planned once, in order, and no wave holds a conflict', () => {
  const calls = fc.array(
    fc.record({
      server: fc.constantFrom('x', 'y'),
      writes: fc.boolean(),
      subject: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    }),
  );
  fc.assert(
    fc.property(calls, (batch) => {
      const plan = planBatch(batch);
      for (const [server, waves] of plan) {
        const mine = [...batch.keys()].filter((index) => batch[index]!.server === server);
        expect(waves.flat()).toEqual(mine);
        for (const wave of waves) {
          for (const a of wave) {
            for (const b of wave) {
              if (a >= b) continue;
              const [one, other] = [batch[a]!, batch[b]!];
              const conflict =
                (one.writes || other.writes) && (one.subject === undefined || other.subject === undefined);
              expect(conflict).toBe(false);
            }
          }
        }
      }
      expect([...plan.values()].flat(2)).toHaveLength(batch.length);
    }),
  );
});
