import { checkName, checkOptions } from '@perf/core';
import type { CpuProfile } from '../cpu/cpu-profile.ts';
import { formatDuration } from '../format-table.ts';
import { flameLayout } from './flame-layout.ts';
import { flameTree } from './flame-node.ts';
import { flamePage } from './flame-page.ts';

/** Options of {@link renderFlameGraph} and {@link renderDiff}. */
export interface FlameGraphOptions {
  /** @default 'CPU profile', or 'CPU profile: before and after' */
  readonly title?: string;
}

/**
 * A flame graph of the profile as one HTML file that needs nothing else: no network, no library. The root is at the top, a frame's width is the time
 * it was on the stack. Click to zoom, `/` to search, Escape to reset. Idle time is left out.
 *
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when the profile contradicts itself
 */
export function renderFlameGraph(profile: CpuProfile, options: FlameGraphOptions = {}): string {
  const title = titleOf('renderFlameGraph', options, 'CPU profile');
  const root = flameTree(profile);
  const recorded = (profile.endTime - profile.startTime) / 1000;
  const caption = `${formatDuration(root.total)} of work in ${formatDuration(recorded)}, ${profile.samples.length} samples`;
  return flamePage({ title, caption, layout: flameLayout(root), diff: false });
}

/** The title, checked. */
export function titleOf(component: string, options: FlameGraphOptions, byDefault: string): string {
  checkOptions(component, options, ['title']);
  return options.title === undefined ? byDefault : checkName('title', options.title);
}
