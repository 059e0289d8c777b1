import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HeapTuning, tuneHeap } from '../src/index.ts';

const run = promisify(execFile);
const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('tuneHeap', () => {
  test('leaves room for everything that is not the old generation', () => {
    const tuning = tuneHeap({ memory: 512 * MIB });
    expect(tuning).toMatchObject({
      maxSemiSpace: 8,
      maxOldSpace: 512 - 48 - 26 - 52 - 24,
      nodeOptions: '--max-old-space-size=362 --max-semi-space-size=8',
      resourceLimits: { maxOldGenerationSizeMb: 362, maxYoungGenerationSizeMb: 24 },
      applied: [],
      inEffect: false,
    });
    expect(tuning.reasons.join('\n')).toContain('512 MiB in all, less 48 for Node.js itself');
  });

  test('never plans for more than there is, and grows with the memory', () => {
    fc.assert(
      fc.property(fc.integer({ min: 128, max: 65_536 }), fc.integer({ min: 1, max: 4_096 }), (mib, more) => {
        const { maxOldSpace, maxSemiSpace } = tuneHeap({ memory: mib * MIB });
        expect(maxOldSpace + 3 * maxSemiSpace + 48).toBeLessThan(mib);
        expect(maxSemiSpace).toBeGreaterThanOrEqual(2);
        expect(maxSemiSpace).toBeLessThanOrEqual(32);
        const larger = tuneHeap({ memory: (mib + more) * MIB });
        expect(larger.maxOldSpace + 3 * larger.maxSemiSpace).toBeGreaterThanOrEqual(maxOldSpace + 3 * maxSemiSpace);
      }),
    );
  });

  test('says when the memory is not enough', () => {
    const { maxOldSpace, reasons } = tuneHeap({ memory: 256 * MIB, offHeap: 200 * MIB });
    expect(maxOldSpace).toBe(16);
    expect(reasons.at(-1)).toContain('not enough');
  });

  test('takes the limit of the container, of a parent group too', () => {
    const files: Record<string, string> = {
      '/proc/self/cgroup': '0::/pod/app\n',
      '/sys/fs/cgroup/pod/app/memory.max': 'max\n',
      '/sys/fs/cgroup/pod/memory.max': `${GIB}\n`,
    };
    const tuning = tuneHeap({ readFile: (path) => files[path] });
    expect(tuning).toMatchObject({ maxSemiSpace: 16, maxOldSpace: tuneHeap({ memory: GIB }).maxOldSpace });
    expect(tuning.reasons[0]).toBe('the memory is the limit set by /sys/fs/cgroup/pod');
  });

  test('says which V8 flag it set in this process, and sets none without being asked', () => {
    expect(tuneHeap({ apply: true }).applied).toEqual(['--semi-space-growth-factor=4']);
  });

  test('a process started with the NODE_OPTIONS has the sizes, and knows it', async () => {
    const file = fileURLToPath(new URL('fixtures/print-tuning.ts', import.meta.url));
    const { nodeOptions } = tuneHeap({ memory: 512 * MIB });
    const env = { ...process.env, NODE_OPTIONS: nodeOptions };
    const { stdout } = await run(process.execPath, [file, String(512 * MIB)], { env });
    const tuning = JSON.parse(stdout) as HeapTuning;
    expect(tuning.inEffect).toBe(true);
    expect(tuning.current).toEqual({ maxOldSpace: 362, maxSemiSpace: 8, heapSizeLimit: (362 + 24) * MIB });
  });

  test.each([
    [{ memory: 1 }, '`memory` must be at least 64 MiB (67108864), got 1'],
    [{ memory: 'all' }, '`memory` must be a positive integer, got "all"'],
    [{ memory: 100 * MIB, offHeap: 100 * MIB }, '`offHeap` must be less than the memory (104857600), got 104857600'],
    [{ apply: 1 }, '`apply` must be a boolean, got 1'],
    [{ heap: 1 }, 'tuneHeap has no option `heap`'],
  ])('%o is refused', (options, message) => {
    expect(() => tuneHeap(options as never)).toThrow(message);
  });
});
