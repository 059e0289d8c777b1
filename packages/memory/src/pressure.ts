import type { MemoryReading } from './memory-reading.ts';

/** How close a process is to a limit, and to which. */
export interface Pressure {
  /** Used share of what can be used of the limit that is closest, from 0 up; above 1 it is exceeded. For the heap that is 80 % of its limit. */
  readonly ratio: number;
  /** Which limit that is: of V8's heap, of the container, or the one given as `limit`. */
  readonly boundBy: 'heap' | 'container' | 'limit';
  /**
   * Whether most of what is used is neither heap nor buffers. Dropping references cannot bring that down: it is
   * memory the allocator keeps in fragments (`MALLOC_ARENA_MAX=2` or jemalloc help), native code, or another process.
   */
  readonly unexplained: boolean;
}

/**
 * The share of its limit from which on V8 may give up: above it, a few collections in a row that take more time than they gain are
 * "ineffective mark-compacts near heap limit", and the end (`kHeapLimitFraction` in V8's heap.cc).
 */
const V8_GIVES_UP_AT = 0.8;

/**
 * The pressure of a reading.
 *
 * The heap counts as of its last major collection: what is garbage above that, V8 collects before it runs out, and a saw-tooth
 * is no pressure. Its ratio is 1 where V8 may give up, at 80 % of the limit. The container counts as it stands: the kernel knows no garbage.
 *
 * @param limit bytes the process may use by its owner's wish; `undefined` for none
 */
export function pressureOf(reading: MemoryReading, limit: number | undefined): Pressure {
  const heap = Math.min(reading.heapUsed, reading.heapLive ?? Infinity) / (reading.heapLimit * V8_GIVES_UP_AT);
  const container =
    reading.containerLimit === undefined ? 0 : (reading.containerUsed ?? reading.rss) / reading.containerLimit;
  const budget = limit === undefined ? 0 : reading.rss / limit;
  if (heap >= container && heap >= budget) return { ratio: heap, boundBy: 'heap', unexplained: false };
  const boundBy = container >= budget ? 'container' : 'limit';
  const used = boundBy === 'container' ? (reading.containerUsed ?? reading.rss) : reading.rss;
  const unexplained = reading.heapTotal + reading.external < used / 2;
  return { ratio: Math.max(container, budget), boundBy, unexplained };
}
