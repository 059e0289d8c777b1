import { describe, expect, test } from 'vitest';
import { recommendedPoolSize } from '../src/index.ts';

describe('recommendedPoolSize()', () => {
  test.each([
    ['the example of "About Pool Sizing": four cores, one disk', { cores: 4, spindles: 1 }, 9, 'throughput'],
    ['everything in memory', { cores: 8, spindles: 0 }, 16, 'throughput'],
    [
      'eight tasks that hold three connections each',
      { cores: 2, spindles: 1, threads: 8, transactionConnections: 3 },
      17,
      'deadlock',
    ],
    [
      'three tasks that hold four each',
      { cores: 1, spindles: 0, threads: 3, transactionConnections: 4 },
      10,
      'deadlock',
    ],
    ['many tasks that hold one each', { cores: 1, threads: 500 }, 3, 'throughput'],
    ['a floor that is as high', { cores: 1, spindles: 1, threads: 2, transactionConnections: 2 }, 3, 'throughput'],
  ] as const)('for %s', (_, options, size, limitedBy) => {
    expect(recommendedPoolSize(options)).toMatchObject({ size, limitedBy });
  });

  test('tells both figures', () => {
    expect(recommendedPoolSize({ cores: 4, spindles: 2, threads: 5, transactionConnections: 2 })).toEqual({
      size: 10,
      throughput: 10,
      deadlockFloor: 6,
      limitedBy: 'throughput',
    });
  });

  test.each<[unknown, string]>([
    [{}, '`cores` must be a positive integer, got undefined'],
    [{ cores: 0 }, '`cores` must be a positive integer, got 0'],
    [{ cores: 2.5 }, '`cores` must be a positive integer, got 2.5'],
    [{ cores: NaN }, '`cores` must be a positive integer, got NaN'],
    [{ cores: 2, spindles: -1 }, '`spindles` must be a non-negative integer, got -1'],
    [{ cores: 2, transactionConnections: 0 }, '`transactionConnections` must be a positive integer, got 0'],
    [{ cores: 2, threads: '4' }, '`threads` must be a positive integer, got "4"'],
    [{ cores: 2, disks: 1 }, 'recommendedPoolSize() has no option `disks`'],
    [undefined, 'recommendedPoolSize() takes an options object, got undefined'],
  ])('refuses %o', (options, message) => {
    expect(() => recommendedPoolSize(options as never)).toThrow(message);
  });
});
