import { describe, expect, test, vi } from 'vitest';
import type { Comparison, Contender } from '../src/comparison.ts';
import { insertTables, toMarkdown } from '../src/report.ts';
import { runComparison } from '../src/runner.ts';
import { spreadOf } from '../src/statistics.ts';

const options = { rounds: 3, warmups: 1, target: 1 };

function comparison(runs: string[], digests: readonly number[] = [1, 1, 1]): Comparison {
  return {
    package: 'core',
    title: 'nothing',
    unit: 'call',
    iterations: 10,
    contenders: () =>
      digests.map((digest, index) => ({
        name: `contender ${index}`,
        ours: index === 0,
        run: (iterations) => {
          runs.push(`${index}:${iterations}`);
          return index === 2 ? Promise.resolve(digest) : digest;
        },
        close: () => runs.push(`close ${index}`),
      })),
  };
}

describe('a comparison', () => {
  test('runs the contenders in turn, in an order that rotates, and closes them', async () => {
    const runs: string[] = [];
    const result = await runComparison(comparison(runs), options);
    expect(runs.map((run) => run[0]).join('')).toBe('012120201012ccc');
    expect(result.contenders.map(({ name, ours }) => [name, ours])).toEqual([
      ['contender 0', true],
      ['contender 1', false],
      ['contender 2', false],
    ]);
    for (const { nanoseconds, relative } of result.contenders) {
      expect(nanoseconds.median).toBeGreaterThan(0);
      expect(relative?.median).toBeGreaterThan(0);
    }
  });

  test('of contenders that did different work is refused, and they are closed', async () => {
    const runs: string[] = [];
    await expect(runComparison(comparison(runs, [1, 2]), options)).rejects.toThrow(
      /contender 1 came to 2, but contender 0 to 1/,
    );
    expect(runs).toContain('close 1');
  });

  test('finds the number of iterations by itself', async () => {
    const { iterations, ...rest } = comparison([]);
    expect(iterations).toBe(10);
    // Time stands still but for the work: a microsecond for each iteration of one, two for those of the other.
    let now = 0n;
    const clock = vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => now);
    const working = (name: string, nanoseconds: bigint): Contender => ({
      name,
      run: (n) => {
        now += BigInt(n) * nanoseconds;
        return n;
      },
    });
    const counted = { ...rest, contenders: () => [working('fast', 1_000n), working('slow', 2_000n)] };
    const result = await runComparison(counted, options).finally(() => clock.mockRestore());
    expect(result.iterations).toBeGreaterThan(250);
    expect(result.iterations).toBeLessThanOrEqual(500);
    expect(result.contenders.map(({ nanoseconds }) => nanoseconds.median)).toEqual([1_000, 2_000]);
  });

  test('does not take what starts with the first call for what a call takes', async () => {
    const { iterations: _, ...rest } = comparison([]);
    let now = 0n;
    const clock = vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => now);
    let started = false;
    const starting: Contender = {
      name: 'starting',
      run: (n) => {
        now += BigInt(n) * 1_000n + (started ? 0n : 100_000_000n);
        started = true;
        return n;
      },
    };
    const counted = { ...rest, contenders: () => [starting] };
    const { iterations } = await runComparison(counted, options).finally(() => clock.mockRestore());
    expect(iterations).toBeGreaterThan(500);
  });

  test('of contenders that come to do different work is refused, in whatever round that is', async () => {
    let measured = 0;
    const drifting: Comparison = {
      ...comparison([]),
      contenders: () => [
        { name: 'steady', run: () => 1 },
        { name: 'drifting', run: () => (++measured > 2 ? 2 : 1) },
      ],
    };
    await expect(runComparison(drifting, options)).rejects.toThrow(/drifting came to 2, but steady to 1/);
  });
});

test('a spread is the median and the quartiles', () => {
  expect(spreadOf([4, 1, 3, 2, 5])).toEqual({ median: 3, lowerQuartile: 2, upperQuartile: 4 });
  expect(spreadOf([1, 2])).toEqual({ median: 1.5, lowerQuartile: 1.25, upperQuartile: 1.75 });
  expect(() => spreadOf([])).toThrow(RangeError);
});

test('tables go between the markers of a README and replace the old ones', async () => {
  const result = await runComparison(comparison([]), options);
  const tables = toMarkdown([result], 'a machine');
  expect(tables).toContain('| **contender 0** |');
  const readme = 'before\n<!-- bench:start -->\nold\n<!-- bench:end -->\nafter\n';
  const once = insertTables(readme, tables);
  expect(once).not.toContain('old');
  expect(insertTables(once, tables)).toBe(once);
  expect(() => insertTables('no markers', tables)).toThrow(/bench:start/);
  const report = `${readme}<!-- bench:stampede:start -->\n<!-- bench:stampede:end -->\n`;
  expect(insertTables(report, 'new\n', 'stampede')).toBe(
    report.replace('-->\n<!-- bench:stampede:end', '-->\nnew\n<!-- bench:stampede:end'),
  );
  expect(() => insertTables(readme, tables, 'stampede')).toThrow(/bench:stampede:start/);
});
