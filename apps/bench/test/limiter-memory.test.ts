import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('./fixtures/waiting-memory.ts', import.meta.url));

/** In a process of its own: what others keep on the heap would be counted, too. */
async function bytesPerWaitingJob(limiter: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', SCRIPT, limiter]);
  return Number(stdout);
}

test('a job that waits in a Limiter takes no more memory than one of p-limit', async () => {
  const [ours, theirs] = await Promise.all([bytesPerWaitingJob('@perf/pool'), bytesPerWaitingJob('p-limit')]);
  expect(ours).toBeGreaterThan(0);
  expect(ours).toBeLessThanOrEqual(theirs);
});
