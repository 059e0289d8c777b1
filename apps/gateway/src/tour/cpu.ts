import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Limiter, WorkerPool, mapConcurrent, recommendedConcurrency } from '@perf/pool';
import { closing } from '../closing.ts';
import { type Narrator, milliseconds, timed } from './narrator.ts';
import { type Range, countPrimes } from './primes.ts';
import type { Workspace } from './workspace.ts';

const UP_TO = 6_000_000;
const CHUNKS = 24;

/** System level, CPU: as many operations at a time as the machine can use, for each kind of work its own number. */
export async function cpu(narrator: Narrator, { folder, store }: Workspace): Promise<void> {
  narrator.stop('CPU: an I/O pool, a CPU pool, an async limit');
  const [io, cores, calls] = [
    recommendedConcurrency('io'),
    recommendedConcurrency('cpu'),
    recommendedConcurrency('async'),
  ];
  narrator.found('at a time, for I/O / CPU / asynchronous calls', `${io} / ${cores} / ${calls}`);
  await readManyFiles(narrator, join(folder, 'archive'), io);
  await countOnEveryCore(narrator, cores);
  // Different files, so that each call reaches the server.
  const paths = Array.from(
    { length: 200 },
    (_, index) => `archive/week-${index % 40}/report-${Math.floor(index / 40)}.txt`,
  );
  const { result, took } = await timed(async () => {
    let answers = 0;
    const getInfo = (path: string): Promise<unknown> =>
      store.callTool('files__get_file_info', { path: join(folder, path) });
    for await (const _ of mapConcurrent(paths, getInfo, { concurrency: calls, ordered: false })) answers++;
    return answers;
  });
  narrator.found(`async limit: ${result} tool calls, ${calls} at a time`, milliseconds(took));
}

async function readManyFiles(narrator: Narrator, root: string, concurrency: number): Promise<void> {
  const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.txt'));
  const read = async (name: string): Promise<number> => (await readFile(join(root, name))).byteLength;
  const serial = await timed(async () => {
    let bytes = 0;
    for (const name of files) bytes += await read(name);
    return bytes;
  });
  const limited = await closing(new Limiter({ maxConcurrent: concurrency, name: 'tour-io' }), (limiter) =>
    timed(async () => {
      const sizes = await Promise.all(files.map((name) => limiter.run(() => read(name))));
      return sizes.reduce((sum, size) => sum + size, 0);
    }),
  );
  if (limited.result !== serial.result) throw new Error('the two ways of reading came to different bytes');
  narrator.found(`I/O pool: ${files.length} files one by one`, milliseconds(serial.took));
  narrator.found(`I/O pool: the same, ${concurrency} at a time`, milliseconds(limited.took));
}

async function countOnEveryCore(narrator: Narrator, cores: number): Promise<void> {
  const size = UP_TO / CHUNKS;
  const chunks = Array.from({ length: CHUNKS }, (_, index): Range => ({ from: index * size, to: (index + 1) * size }));
  const serial = await timed(() => chunks.reduce((sum, chunk) => sum + countPrimes(chunk), 0));
  const filename = new URL('./primes.ts', import.meta.url);
  const parallel = await closing(new WorkerPool({ filename, maxWorkers: cores, name: 'tour-cpu' }), (workers) =>
    timed(async () => {
      let sum = 0;
      for await (const count of workers.map<number>(chunks, { name: 'countPrimes', ordered: false })) sum += count;
      return sum;
    }),
  );
  if (parallel.result !== serial.result) throw new Error('the two ways of counting came to different numbers');
  narrator.found(`CPU pool: ${serial.result} primes in ${CHUNKS} chunks, this thread`, milliseconds(serial.took));
  narrator.found(
    `CPU pool: the same on ${cores} worker${cores === 1 ? '' : 's'}, their start included`,
    milliseconds(parallel.took),
  );
}
