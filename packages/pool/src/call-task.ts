import { type CanCross, encodeThrown } from './encode-thrown.ts';
import { withCarried } from './carried.ts';
import type { Carried, Failure } from './frame.ts';
import type { LoadFailure, TaskFunction } from './load-export.ts';
import { runChunk } from './run-chunk.ts';
import { type RangeWork, runRanges } from './run-ranges.ts';
import type { TaskContext } from './task-context.ts';
import type { WorkerCall, WorkerCalls } from './worker-calls.ts';

/** What a task is run with. */
export interface TaskSetting {
  readonly calls: WorkerCalls;
  readonly context: TaskContext;
  readonly canCross: CanCross;
}

/** Has a task run. Returns or throws what its function does; a chunk answers with a reply. */
export function callTask(
  fn: TaskFunction,
  task: { readonly call: WorkerCall; readonly item: unknown; readonly carried: Carried | undefined },
  setting: TaskSetting,
): unknown {
  const { call, item, carried } = task;
  const work = (): unknown => {
    const { context } = setting;
    switch (call.definition[3]) {
      case 'one':
        return fn(item, context);
      case 'each':
        return runChunk(fn, item as readonly unknown[], setting);
      case 'ranges':
        return runRanges(fn, item as RangeWork, context);
      default:
        return call.definition[3] satisfies never;
    }
  };
  return carried === undefined ? work() : withCarried(carried, work);
}

/** Why a task has no result: what its function threw. Never throws, not even for a proxy. */
export function taskFailure(thrown: unknown, canCross: CanCross): Failure {
  return { index: 0, what: 'task', thrown: encodeThrown(thrown, canCross) };
}

/** Why a task has no result: its function is not there. */
export function loadFailure({ what, thrown }: LoadFailure, canCross: CanCross): Failure {
  return { index: 0, what, thrown: encodeThrown(thrown, canCross) };
}
