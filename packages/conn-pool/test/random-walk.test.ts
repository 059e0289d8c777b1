import { seededRandom } from '@perf/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Walker } from './walker.ts';

const WALKS = 500;
const STEPS = 2_000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a million random steps: never above max, never two owners, nobody lost, overtaken, or timed out at another time than their own', async () => {
  let failure: { readonly seed: number; readonly error: unknown } | undefined;
  for (let seed = 1; seed <= WALKS && failure === undefined; seed++) {
    // The pool rolls dice, too: a walk can be walked again by its seed alone.
    vi.spyOn(Math, 'random').mockImplementation(seededRandom(-seed));
    const walker = new Walker(seed);
    try {
      for (let i = 0; i < STEPS; i++) await walker.step(i % 4 === 0);
      await walker.end();
    } catch (error) {
      failure = { seed, error };
    }
  }
  expect(failure).toBeUndefined();
}, 180_000);
