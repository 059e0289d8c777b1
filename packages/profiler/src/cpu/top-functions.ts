import { checkLimit, checkOneOf } from '@perf/core';
import { callTree } from './call-tree.ts';
import type { CpuProfile } from './cpu-profile.ts';
import type { ProfiledFunction } from './profiled-function.ts';
import { sumOnce } from './walk-stacks.ts';

const SORTS = ['self', 'total'] as const;

/** What {@link topFunctions} sorts by. */
export type TopSort = (typeof SORTS)[number];

/** A function and its share of a CPU profile. Times are in milliseconds. */
export interface FunctionTime extends ProfiledFunction {
  /** Time in the function itself. */
  readonly self: number;
  /** Time in the function and what it called; recursion counts once. */
  readonly total: number;
  /** `self` by the time the thread was busy, from 0 to 1. */
  readonly selfShare: number;
  /** `total` by the time the thread was busy, from 0 to 1. */
  readonly totalShare: number;
}

/**
 * The functions a profile spent most time in, most first. Idle time is no function; garbage collection and native code are.
 *
 * @param limit how many; `Infinity` for all
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when the profile contradicts itself
 */
export function topFunctions(profile: CpuProfile, limit = 20, sort: TopSort = 'self'): FunctionTime[] {
  checkLimit('limit', limit);
  checkOneOf('sort', sort, SORTS);
  const { nodes, busy } = callTree(profile);
  const self = new Map<ProfiledFunction, number>();
  for (const node of nodes) self.set(node.fn, (self.get(node.fn) ?? 0) + node.self);
  const total = sumOnce(nodes, ({ fn }) => fn);
  const times = [...self].flatMap(([fn, own]) => {
    if (fn.category === 'root' || fn.category === 'idle') return [];
    const all = total.get(fn) ?? 0;
    return [{ ...fn, self: own, total: all, selfShare: share(own, busy), totalShare: share(all, busy) }];
  });
  return times.sort((a, b) => b[sort] - a[sort]).slice(0, limit);
}

/** `part` of `whole`; of nothing, nothing. */
export function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
