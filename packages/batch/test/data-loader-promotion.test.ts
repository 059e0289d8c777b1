import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const index = new URL('../src/index.ts', import.meta.url).href;

const program = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { DataLoader } from ${JSON.stringify(index)};

  const oldSpace = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size;
  async function requests(count) {
    for (let request = 0; request < count; request++) {
      const loader = new DataLoader((keys) => new Promise((done) => setImmediate(done, keys)));
      await Promise.all(Array.from({ length: 1_000 }, (_, key) => loader.load(key)));
    }
  }
  const clients = (count) => Promise.all([1, 2, 3, 4].map(() => requests(count)));
  await clients(75);
  gc();
  const before = oldSpace();
  await clients(300);
  console.log((oldSpace() - before) / 2 ** 20);`;

// V8 collects by itself at the same moments each time, and only the young generation.
const deterministic = ['--single-threaded', '--max-semi-space-size=8', '--initial-heap-size=2000', '--expose-gc'];

test('batches that are over do not fill the old generation, where only a full collection would free them', async () => {
  const flags = [...deterministic, '--no-warnings', '--experimental-strip-types', '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 60_000 });
  // One megabyte. Of batches that keep what they held, 87.
  expect(Number(stdout)).toBeLessThan(20);
});
