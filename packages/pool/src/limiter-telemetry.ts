import type { LazyMeter } from '@perf/core';
import type { AdaptiveLimiter } from './adaptive-limiter.ts';
import type { Limiter } from './limiter.ts';

const INSTRUMENTS = {
  'perf.pool.limiter.limit': { kind: 'gauge', unit: '{call}', description: 'How much may run at once' },
  'perf.pool.limiter.running': { kind: 'upDownCounter', unit: '{call}', description: 'Calls that run now' },
  'perf.pool.limiter.waiting': { kind: 'upDownCounter', unit: '{call}', description: 'Calls that wait for their turn' },
  'perf.pool.limiter.completed': { kind: 'counter', unit: '{call}', description: 'Calls that have ended' },
  'perf.pool.limiter.refused': { kind: 'counter', unit: '{call}', description: 'Calls refused at once' },
} as const;

/** Reports a limiter's numbers whenever an SDK collects. Returns what stops it. */
export function observeLimiter(meter: LazyMeter, limiter: Limiter, name: string): () => void {
  const attributes = { 'perf.pool.name': name };
  return meter.observe(limiter, INSTRUMENTS, (owner, observe) => {
    const stats = owner.stats();
    observe('perf.pool.limiter.limit', stats.maxConcurrent, attributes);
    observe('perf.pool.limiter.running', stats.running, attributes);
    observe('perf.pool.limiter.waiting', stats.waiting, attributes);
    observe('perf.pool.limiter.completed', stats.completed, attributes);
    observe('perf.pool.limiter.refused', stats.refused, attributes);
  });
}

/** Like {@link observeLimiter}; nothing ever waits in an adaptive limiter. */
export function observeAdaptiveLimiter(meter: LazyMeter, limiter: AdaptiveLimiter, name: string): () => void {
  const attributes = { 'perf.pool.name': name };
  return meter.observe(limiter, INSTRUMENTS, (owner, observe) => {
    const stats = owner.stats();
    observe('perf.pool.limiter.limit', stats.limit, attributes);
    observe('perf.pool.limiter.running', stats.running, attributes);
    observe('perf.pool.limiter.completed', stats.completed, attributes);
    observe('perf.pool.limiter.refused', stats.shed, attributes);
  });
}
