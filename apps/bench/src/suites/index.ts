import type { Comparison } from '../comparison.ts';

/** The suites by package, loaded when they run: one peer's start-up work must not disturb another's figures. */
export const SUITES: Readonly<Record<string, () => Promise<readonly Comparison[]>>> = {
  core: async () => (await import('./core.ts')).core,
  codec: async () => (await import('./codec.ts')).codec,
  cache: async () => (await import('./cache.ts')).cache,
  pool: async () => (await import('./pool.ts')).pool,
  batch: async () => (await import('./batch.ts')).batch,
  'conn-pool': async () => (await import('./conn-pool.ts')).connPool,
  profiler: async () => (await import('./profiler.ts')).profiler,
  memory: async () => (await import('./memory.ts')).memory,
};
