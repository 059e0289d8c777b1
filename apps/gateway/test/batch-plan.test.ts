import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PlannedCall, planBatch } from '../src/batch-plan.ts';

const call = (writes: boolean, subject?: string, server = 's'): PlannedCall => ({ server, writes, subject });

test('calls on different subjects run side by side, reads and writes alike', () => {
  expect(planBatch([call(true, 'a'), call(false, 'b'), call(true, 'c')])).toEqual(new Map([['s', [[0, 1, 2]]]]));
});

test('writes and reads of many subjects in turn take two waves, not one for each', () => {
  const calls = ['a', 'b', 'c'].flatMap((subject) => [call(true, subject), call(false, subject)]);
  expect(planBatch(calls)).toEqual(
    new Map([
      [
        's',
        [
          [0, 2, 4],
          [1, 3, 5],
        ],
      ],
    ]),
  );
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
  expect(plan).toEqual(
    new Map([
      ['x', [[0], [2]]],
      ['y', [[1]]],
    ]),
  );
});

test('whatever the batch, each call is planned once, conflicting ones in their order, and no wave is empty', () => {
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
      const waveOf = new Map<number, number>();
      for (const [server, waves] of plan) {
        for (const [wave, indexes] of waves.entries()) {
          expect(indexes.length).toBeGreaterThan(0);
          for (const index of indexes) {
            expect(batch[index]!.server).toBe(server);
            expect(waveOf.has(index)).toBe(false);
            waveOf.set(index, wave);
          }
        }
      }
      expect(waveOf.size).toBe(batch.length);
      for (const [later, b] of batch.entries()) {
        for (const [earlier, a] of batch.slice(0, later).entries()) {
          const touch = a.subject === undefined || b.subject === undefined || a.subject === b.subject;
          if (a.server !== b.server || !touch || !(a.writes || b.writes)) continue;
          expect(waveOf.get(earlier)).toBeLessThan(waveOf.get(later)!);
        }
      }
    }),
  );
});
