import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpiryWheel } from '../src/expiry-wheel.ts';

const TICK = 128;

describe('the expiry wheel', () => {
  test('finds each slot within a tick of its deadline, never before, and looks only when something is due', () => {
    const deadline = fc.oneof(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 5_000_000 }),
      fc.integer({ min: 1, max: 4_000_000_000 }),
    );
    fc.assert(
      fc.property(
        fc.array(deadline, { minLength: 1, maxLength: 40 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (ttls, start) => {
          const wheel = new ExpiryWheel(start);
          wheel.grow(ttls.length);
          const deadlines = Float64Array.from(ttls, (ttl) => start + ttl);
          for (const slot of ttls.keys()) wheel.schedule(slot, deadlines[slot] as number, start);
          const found = new Map<number, number>();
          for (let looks = 0; wheel.nextDue() < Infinity; looks++) {
            expect(looks).toBeLessThan(6 * ttls.length + 6);
            const now = wheel.nextDue();
            wheel.advance(now, deadlines, (slot) => found.set(slot, now));
          }
          expect(found.size).toBe(ttls.length);
          for (const [slot, at] of found) {
            expect(at).toBeGreaterThanOrEqual(deadlines[slot] as number);
            expect(at).toBeLessThanOrEqual((deadlines[slot] as number) + TICK);
          }
        },
      ),
      { seed: 9, numRuns: 300 },
    );
  });

  test('says when the bucket of a slot is due, which is never late', () => {
    const wheel = new ExpiryWheel(0);
    wheel.grow(1);
    for (const deadline of [1, 128, 129, 8_192, 100_000, 1e9, 1e12, 1e15, Number.MAX_SAFE_INTEGER]) {
      const due = wheel.schedule(0, deadline, 0);
      expect(due).toBe(wheel.nextDue());
      expect(due).toBeLessThanOrEqual(deadline + TICK);
      expect(due).toBeGreaterThan(0);
    }
  });

  test('follows deadlines that were moved without a word', () => {
    const wheel = new ExpiryWheel(0);
    wheel.grow(1);
    const deadlines = Float64Array.of(200);
    wheel.schedule(0, 200, 0);
    deadlines[0] = 900;
    const found: number[] = [];
    for (let now = 0; now <= 1_200; now += 100) wheel.advance(now, deadlines, () => found.push(now));
    expect(found).toEqual([1_100]);
  });

  test('forgets what is removed', () => {
    const wheel = new ExpiryWheel(0);
    wheel.grow(3);
    const deadlines = Float64Array.of(200, 200, 200);
    for (const slot of [0, 1, 2]) wheel.schedule(slot, 200, 0);
    wheel.remove(1);
    wheel.remove(1);
    const found: number[] = [];
    wheel.advance(1_000, deadlines, (slot) => found.push(slot));
    expect(new Set(found)).toEqual(new Set([0, 2]));
    expect(wheel.nextDue()).toBe(Infinity);
  });

  test('catches up after a long pause', () => {
    const wheel = new ExpiryWheel(0);
    wheel.grow(4);
    const deadlines = Float64Array.of(100, 10_000, 5_000_000, 9e9);
    for (const slot of [0, 1, 2, 3]) wheel.schedule(slot, deadlines[slot] as number, 0);
    const found: number[] = [];
    wheel.advance(8e9, deadlines, (slot) => found.push(slot));
    expect(new Set(found)).toEqual(new Set([0, 1, 2]));
    wheel.advance(9e9 + TICK, deadlines, (slot) => found.push(slot));
    expect(found).toContain(3);
  });
});
