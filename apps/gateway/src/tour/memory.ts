import { MemoryManager, tuneHeap } from '@perf/memory';
import { MemoryCache } from '@perf/cache';
import { delay } from '@perf/core';
import { closing } from '../closing.ts';
import { type Narrator, megabytes } from './narrator.ts';

/** Bytes the tour may take until its own limit is near. */
const HEADROOM = 48 * 2 ** 20;
const USES = 1_000;

/** System level, memory: heap settings, objects used again, and what to let go of when memory gets short. */
export async function memory(narrator: Narrator): Promise<void> {
  narrator.stop('Memory: heap settings, an object pool, relief under pressure');
  const tuning = tuneHeap();
  narrator.found('heap limit now', megabytes(tuning.current.heapSizeLimit));
  narrator.found('heap settings for this machine or container', tuning.nodeOptions);
  // Close above what is in use, so that the tour need not fill the machine's memory.
  const limit = Math.round((process.memoryUsage.rss() + HEADROOM) / 0.75);
  await closing(new MemoryManager({ name: 'tour', monitor: { limit } }), async (manager) => {
    usePool(narrator, manager);
    await relieve(narrator, manager);
  });
}

function usePool(narrator: Narrator, manager: MemoryManager): void {
  const buffers = manager.createPool('report-buffers', () => ({ bytes: new Uint8Array(64 * 1024) }), {
    maxSize: 32,
    reset: ({ bytes }) => void bytes.fill(0),
  });
  buffers.prefill(8);
  for (let round = 0; round < USES; round++) buffers.use(({ bytes }) => bytes.fill(round & 0xff));
  narrator.found('object pool "report-buffers": uses', String(USES));
  narrator.show(`pool statistics: ${JSON.stringify(manager.pool('report-buffers').stats())}`);
}

/** Fills a cache until the process comes close to a limit, and shows how it gets away from it. */
async function relieve(narrator: Narrator, manager: MemoryManager): Promise<void> {
  const cache = new MemoryCache<number, string[]>({ maxSize: 1_000_000, name: 'tour-relief' });
  const stop = manager.addReliever('cache', () => {
    const { size } = cache;
    cache.clear();
    return size;
  });
  let sample = manager.monitor.sample();
  narrator.found(
    'in use / limit of the tour',
    `${megabytes(sample.rss)} / ${megabytes(sample.limit)}, ${sample.level}`,
  );
  const fill = (key: number): unknown => cache.set(key, [`value ${key}`, 'x'.repeat(20)]);
  let filled = 0;
  while (sample.level === 'normal') {
    fill(filled++);
    if (filled % 10_000 === 0) sample = manager.monitor.sample();
  }
  narrator.found(
    `pressure after ${filled.toLocaleString('en')} cached values`,
    `${megabytes(sample.rss)}, ${sample.level}`,
  );
  while (manager.stats().reliefs === 0) await delay(1);
  narrator.found('relieved by itself: values still cached', String(cache.size));
  for (let key = 0; key < filled; key++) fill(key);
  const report = manager.relieve({ level: 'critical', gc: 'each' });
  for (const { name, freed, items } of report.steps) {
    narrator.found(`relief by hand: ${name}`, `${megabytes(freed)}${items === undefined ? '' : `, ${items} things`}`);
  }
  narrator.found('relief by hand: all in all', `${megabytes(report.freed)} in ${report.took.toFixed(0)} ms`);
  stop();
  await cache.close();
}
