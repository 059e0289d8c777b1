import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startRedis } from '@perf/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Stress } from './stress.ts';

/** Shorter or longer with `PERF_STRESS_OPERATIONS`; another seed, as one that failed, with `PERF_STRESS_SEED`. */
const OPERATIONS = Number(process.env['PERF_STRESS_OPERATIONS'] ?? 1_000_000);
const SEED = Number(process.env['PERF_STRESS_SEED'] ?? 20_261_124);
const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
globalThis.gc ??= runInNewContext('gc') as typeof globalThis.gc;

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', onUnhandled));
afterEach(() => void process.off('unhandledRejection', onUnhandled));

test.each([
  ['loses everything', []],
  ['keeps its data', ['--appendonly', 'yes']],
])(
  'nothing outdated, nothing lost, nothing left, while Redis fails in all its ways and %s when it restarts',
  async (_, settings) => {
    const server = await startRedis(['--appendonly', 'no', ...settings]);
    const stress = new Stress(server, { seed: SEED, operations: OPERATIONS / 2 });
    try {
      await stress.run();
    } finally {
      await server.stop();
    }
    expect(stress.checker.violations, `repeat with PERF_STRESS_SEED=${SEED}`).toEqual([]);
    expect(unhandled).toEqual([]);
    expect(stress.operations).toBeGreaterThanOrEqual(OPERATIONS / 2);
    const faults = Object.values(stress.chaos.counts).reduce((sum, count) => sum + count, 0);
    expect(faults).toBeGreaterThan(OPERATIONS / 2 / 20_000);
    // From about 100,000 operations on.
    const [early, late] = [stress.heap[1] ?? stress.heap[0], stress.heap.at(-1)];
    expect(late!.bytes).toBeLessThan(early!.bytes + 8 * MIB);
  },
  300_000,
);
