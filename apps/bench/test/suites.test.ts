import { describe, expect, test } from 'vitest';
import { runComparison } from '../src/runner.ts';
import { SUITES } from '../src/suites/index.ts';

// The figures mean nothing here: what is tested is that every contender runs and comes to the same.
describe.each(Object.entries(SUITES))('the suite of %s', (name, load) => {
  test('has contenders that all do the same work, one of them ours', async () => {
    for (const comparison of await load()) {
      const { contenders, package: measured } = await runComparison(comparison, {
        rounds: 1,
        warmups: 1,
        target: 0.1,
        mostIterations: 1_000,
      });
      expect(measured).toBe(name);
      expect(contenders.length).toBeGreaterThan(1);
      expect(contenders.filter(({ ours }) => ours)).toHaveLength(1);
    }
  });
});
