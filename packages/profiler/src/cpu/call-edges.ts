import { type CallNode, callTree } from './call-tree.ts';
import type { CpuProfile } from './cpu-profile.ts';
import type { ProfiledFunction } from './profiled-function.ts';
import { sumOnce } from './walk-stacks.ts';

/** Which functions are meant: those that agree in every field given, such as `{ name: 'parse' }` or an entry of {@link topFunctions}. */
export type FunctionMatch = Partial<Pick<ProfiledFunction, 'name' | 'url' | 'line' | 'column'>>;

/** A function next to another in the call hierarchy. */
export interface CallEdge extends ProfiledFunction {
  /** Milliseconds during which the one was on the stack directly above the other. */
  readonly time: number;
}

/**
 * Who calls the matching functions, most time first. A function that calls itself is its own caller too.
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when the profile contradicts itself
 */
export function callers(profile: CpuProfile, match: FunctionMatch): CallEdge[] {
  return edges(profile, ({ fn, parent }) => (parent !== undefined && matches(fn, match) ? parent.fn : undefined));
}

/**
 * What the matching functions call, most time first.
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when the profile contradicts itself
 */
export function callees(profile: CpuProfile, match: FunctionMatch): CallEdge[] {
  return edges(profile, ({ fn, parent }) => (parent !== undefined && matches(parent.fn, match) ? fn : undefined));
}

function edges(profile: CpuProfile, other: (node: CallNode) => ProfiledFunction | undefined): CallEdge[] {
  const sums = sumOnce(callTree(profile).nodes, other);
  return [...sums].map(([fn, time]) => ({ ...fn, time })).sort((a, b) => b.time - a.time);
}

function matches(fn: ProfiledFunction, { name, url, line, column }: FunctionMatch): boolean {
  return (
    (name === undefined || fn.name === name) &&
    (url === undefined || fn.url === url) &&
    (line === undefined || fn.line === line) &&
    (column === undefined || fn.column === column)
  );
}
