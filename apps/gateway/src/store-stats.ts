import type { MemoryMonitorStats } from '@perf/memory';
import type { FunctionReport } from '@perf/profiler';
import type { ServerStats } from './server-tools.ts';

/** What the dashboard shows; plain data. Times in milliseconds. */
export interface StoreStats {
  readonly uptime: number;
  readonly calls: { readonly total: number; readonly failed: number; readonly inFlight: number };
  readonly cache: { readonly hitRatio: number | null; readonly bytes: number };
  readonly memory: { readonly used: number; readonly level: string };
  readonly servers: readonly (Omit<ServerStats, 'cache'> & { readonly cache: { readonly hitRatio: number | null } })[];
  /** Most total time first. */
  readonly tools: readonly ToolStats[];
}

export type ToolStats = Pick<FunctionReport, 'name' | 'calls' | 'errors' | 'total' | 'mean' | 'p50' | 'p95' | 'p99'>;

interface Parts {
  readonly uptime: number;
  readonly calls: StoreStats['calls'];
  readonly servers: readonly ServerStats[];
  readonly profile: readonly FunctionReport[];
  readonly memory: MemoryMonitorStats;
}

export function storeStats({ uptime, calls, servers, profile, memory }: Parts): StoreStats {
  const sum = (pick: (cache: ServerStats['cache']) => number): number =>
    servers.reduce((total, { cache }) => total + pick(cache), 0);
  return {
    uptime,
    calls,
    cache: {
      hitRatio: ratio(
        sum(({ hits }) => hits),
        sum(({ misses }) => misses),
      ),
      bytes: sum(({ bytes }) => bytes),
    },
    memory: { used: process.memoryUsage.rss(), level: memory.level },
    servers: servers.map(({ cache, ...server }) => ({
      ...server,
      cache: { hitRatio: ratio(cache.hits, cache.misses) },
    })),
    tools: profile.map(({ name, calls: made, errors, total, mean, p50, p95, p99 }) => ({
      name,
      calls: made,
      errors,
      total,
      mean,
      p50,
      p95,
      p99,
    })),
  };
}

/** `null`, which JSON has, before the first request. */
function ratio(hits: number, misses: number): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses);
}
