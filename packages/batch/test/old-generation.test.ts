import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const index = new URL('../src/index.ts', import.meta.url).href;

/** Four clients, one after the other request of 1,000 each, as `request` makes it; prints how many megabytes the old generation has gained. */
const program = (request: string): string => `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { Batcher, DataLoader } from ${JSON.stringify(index)};

  const later = (answer) => new Promise((done) => setImmediate(done, answer));
  const batcher = new Batcher({ execute: (ops) => later(ops.map((op) => ({ op }))), maxSize: 1_000 });
  const oldSpace = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size;
  async function requests(count) {
    for (let done = 0; done < count; done++) {
      ${request}
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

test.each<[string, string, number]>([
  [
    'a loader',
    `const loader = new DataLoader((keys) => later(keys));
     await Promise.all(Array.from({ length: 1_000 }, (_, key) => loader.load(key)));`,
    20,
  ],
  ['a batcher', `await Promise.all(Array.from({ length: 1_000 }, (_, op) => batcher.add({ op })));`, 150],
])(
  'batches of %s that are over do not fill the old generation, where only a full collection would free them',
  async (_, request, limit) => {
    const flags = ['--no-warnings', '--experimental-strip-types', '--input-type=module', '-e', program(request)];
    const { stdout } = await promisify(execFile)(process.execPath, [...deterministic, ...flags], { timeout: 60_000 });
    // 1 of a loader's; 87 of a batcher's, where the promise of the answer holds objects of `execute`. Of batches that keep what they held, 87 and 388.
    expect(Number(stdout)).toBeLessThan(limit);
  },
);
