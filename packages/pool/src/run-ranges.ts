import { isPromiseLike } from '@perf/core';
import type { Transferable } from 'node:worker_threads';
import type { TaskFunction } from './load-export.ts';
import { type RangeCursor, type RangePlan, claimRange, exhaust } from './range-claims.ts';
import type { TaskContext } from './task-context.ts';
import { Transferred, unwrap } from './transferred.ts';

/** The item of a task that runs ranges. */
export interface RangeWork {
  readonly data: unknown;
  readonly cursor: RangeCursor;
  readonly plan: RangePlan;
}

/** What a function did with one range: its start, its end, and what it returned. */
export type RangeOutcome = readonly [start: number, end: number, value: unknown];

/** Calls the function for one range after the other, as long as there is one to claim. After a failure nobody claims another one. */
export async function runRanges(
  fn: TaskFunction,
  { data, cursor, plan }: RangeWork,
  context: TaskContext,
): Promise<Transferred<RangeOutcome[]>> {
  const outcomes: RangeOutcome[] = [];
  const transferList: Transferable[] = [];
  try {
    for (let range = claimRange(cursor, plan); range !== undefined; range = claimRange(cursor, plan)) {
      const [start, end] = range;
      const returned = fn({ data, start, end }, context);
      outcomes.push([start, end, unwrap(isPromiseLike(returned) ? await returned : returned, transferList)]);
    }
  } catch (error) {
    exhaust(cursor, plan);
    throw error;
  }
  return new Transferred(outcomes, transferList);
}
