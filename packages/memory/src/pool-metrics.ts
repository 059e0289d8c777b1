import type { StatsSource } from '@perf/core';
import { meter } from './meter.ts';

/** The part of a pool's stats that is exported. */
interface PoolNumbers {
  readonly idle: number;
  readonly lent: number;
  readonly created: number;
  readonly reused: number;
  readonly discarded: number;
}

const INSTRUMENTS = {
  'perf.memory.pool.objects': {
    kind: 'upDownCounter',
    unit: '{object}',
    description: 'Objects of a pool, idle in it or lent',
  },
  'perf.memory.pool.acquisitions': {
    kind: 'counter',
    unit: '{acquisition}',
    description: 'Objects lent, by whether one was reused or created',
  },
  'perf.memory.pool.discards': {
    kind: 'counter',
    unit: '{object}',
    description: 'Objects a pool let go of',
  },
} as const;

/** Exports the numbers of a named pool until the returned function is called. */
export function observePool(pool: StatsSource<PoolNumbers>, name: string): () => void {
  const idle = { 'perf.memory.pool.name': name, 'perf.memory.pool.state': 'idle' };
  const lent = { 'perf.memory.pool.name': name, 'perf.memory.pool.state': 'used' };
  const reused = { 'perf.memory.pool.name': name, 'perf.memory.pool.outcome': 'reused' };
  const created = { 'perf.memory.pool.name': name, 'perf.memory.pool.outcome': 'created' };
  const named = { 'perf.memory.pool.name': name };
  return meter.observe(pool, INSTRUMENTS, (owner, observe) => {
    const stats = owner.stats();
    observe('perf.memory.pool.objects', stats.idle, idle);
    observe('perf.memory.pool.objects', stats.lent, lent);
    observe('perf.memory.pool.acquisitions', stats.reused, reused);
    observe('perf.memory.pool.acquisitions', stats.created, created);
    observe('perf.memory.pool.discards', stats.discarded, named);
  });
}
