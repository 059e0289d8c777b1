import { type CpuProfile, renderFlameGraph } from '@perf/profiler';

/** Draws a CPU profile; runs on a worker. */
export function draw(profile: CpuProfile): string {
  return renderFlameGraph(profile, { title: 'perf gateway' });
}
