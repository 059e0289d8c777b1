import { MemoryManager, tuneHeap } from '@perf/memory';
import { MemoryCache } from '@perf/cache';
import { closing } from '../closing.ts';
import { type Narrator, megabytes } from './narrator.ts';

/** System level, memory: heap settings, objects used again, and what to let go of when memory gets short. */
export async function memory(narrator: Narrator): Promise<void> {
  narrator.stop('Memory: heap settings, an object pool, relief under pressure');
  const tuning = tuneHeap();
  narrator.found('heap limit now', megabytes(tuning.current.heapSizeLimit));
  narrator.found('heap settings for this machine or container', tuning.nodeOptions);
  await closing(new MemoryManager({ name: 'tour' }), async (manager) => {
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
  for (let round = 0; round < 1_000; round++) buffers.use(({ bytes }) => bytes.fill(round & 0xff));
  narrator.found('object pool "report-buffers": uses', '1000');
  narrator.show(`pool statistics: ${JSON.stringify(manager.pool('report-buffers').stats())}`);
}

async function relieve(narrator: Narrator, manager: MemoryManager): Promise<void> {
  const cache = new MemoryCache<number, string[]>({ maxSize: 100_000, name: 'tour-relief' });
  for (let key = 0; key < 50_000; key++) cache.set(key, [`value ${key}`, 'x'.repeat(20)]);
  manager.addReliever('cache', () => {
    const { size } = cache;
    cache.clear();
    return size;
  });
  const sample = manager.monitor.sample();
  narrator.found(
    'in use: resident / of the nearest limit',
    `${megabytes(sample.rss)} / ${(sample.ratio * 100).toFixed(1)} %, ${sample.level}`,
  );
  const report = manager.relieve({ level: 'critical', gc: 'each' });
  for (const { name, freed, items } of report.steps)
    narrator.found(`relief: ${name}`, `${megabytes(freed)}${items === undefined ? '' : `, ${items} things`}`);
  narrator.found('relief: all in all', `${megabytes(report.freed)} in ${report.took.toFixed(0)} ms`);
  await cache.close();
}
