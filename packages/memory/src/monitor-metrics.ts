import type { StatsSource } from '@perf/core';
import { getHeapSpaceStatistics } from 'node:v8';
import { meter } from './meter.ts';
import type { MemorySample } from './memory-sample.ts';
import { rankOf } from './pressure-level.ts';

const INSTRUMENTS = {
  'v8js.memory.heap.used': { kind: 'upDownCounter', unit: 'By', description: 'Heap memory in use' },
  'v8js.memory.heap.space.size': { kind: 'upDownCounter', unit: 'By', description: 'Heap memory of a space' },
  'v8js.memory.heap.space.available_size': {
    kind: 'upDownCounter',
    unit: 'By',
    description: 'Heap memory of a space that is free',
  },
  'v8js.memory.heap.space.physical_size': {
    kind: 'upDownCounter',
    unit: 'By',
    description: 'Heap memory of a space that is committed',
  },
  'process.memory.usage': { kind: 'upDownCounter', unit: 'By', description: 'Resident memory of the process' },
  'container.memory.working_set': {
    kind: 'upDownCounter',
    unit: 'By',
    description: 'Memory of the container that cannot be given back easily',
  },
  'perf.memory.limit': { kind: 'upDownCounter', unit: 'By', description: 'The smallest memory limit that applies' },
  'perf.memory.pressure.ratio': { kind: 'gauge', unit: '1', description: 'Used share of the limit that is closest' },
  'perf.memory.pressure.level': {
    kind: 'gauge',
    unit: '1',
    description: 'Memory pressure: 0 normal, 1 elevated, 2 critical',
  },
} as const;

/** The part of a monitor that is exported. */
interface Monitor extends StatsSource<{ readonly last: MemorySample | undefined }> {
  readonly name: string;
}

/** Exports the heap's spaces as they are when the SDK collects, and the monitor's last sample, until the returned function is called. */
export function observeMonitor(monitor: Monitor): () => void {
  return meter.observe(monitor, INSTRUMENTS, (owner, observe) => {
    for (const space of getHeapSpaceStatistics()) {
      const attributes = { 'v8js.heap.space.name': space.space_name };
      observe('v8js.memory.heap.used', space.space_used_size, attributes);
      observe('v8js.memory.heap.space.size', space.space_size, attributes);
      observe('v8js.memory.heap.space.available_size', space.space_available_size, attributes);
      observe('v8js.memory.heap.space.physical_size', space.physical_space_size, attributes);
    }
    observe('process.memory.usage', process.memoryUsage.rss());
    const { last } = owner.stats();
    if (last === undefined) return;
    const attributes = { 'perf.memory.monitor.name': owner.name };
    if (last.containerUsed !== undefined) observe('container.memory.working_set', last.containerUsed);
    observe('perf.memory.limit', last.limit, attributes);
    observe('perf.memory.pressure.ratio', last.ratio, attributes);
    observe('perf.memory.pressure.level', rankOf(last.level), attributes);
  });
}
