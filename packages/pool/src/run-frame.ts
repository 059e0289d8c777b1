import type { Transferable } from 'node:worker_threads';
import { type CanCross, encodeThrown } from './encode-thrown.ts';
import type { Failure, Frame, Reply } from './frame.ts';
import { LoadFailure, type TaskFunction, loadExport } from './load-export.ts';
import { Transferred } from './transferred.ts';
import type { TaskContext } from './task-context.ts';

/** A reply, and what of it is to be moved rather than copied. */
export interface FrameResult {
  readonly reply: Reply;
  readonly transferList: readonly Transferable[];
}

const functions = new Map<string, TaskFunction>();

/** Runs the items of a frame one after the other, up to the first failure. Never rejects: what goes wrong is in the reply. */
export async function runFrame(frame: Frame, context: TaskContext, canCross: CanCross): Promise<FrameResult> {
  const fn = await find(frame.url, frame.name);
  if (fn instanceof LoadFailure) return notRun(fn, canCross);
  const results: unknown[] = [];
  const failures: Failure[] = [];
  const transferList: Transferable[] = [];
  const startedAt = performance.now();
  for (const item of frame.items) {
    try {
      const returned = fn(item, context);
      const value: unknown = isThenable(returned) ? await returned : returned;
      results.push(unwrap(value, transferList));
    } catch (error) {
      failures.push({ index: results.length, what: 'task', thrown: encodeThrown(error, canCross) });
      break;
    }
  }
  const elapsed = performance.now() - startedAt;
  return { reply: failures.length === 0 ? { results, elapsed } : { results, failures, elapsed }, transferList };
}

/** Asked once per export: looking into a module again costs two turns of the microtask queue. */
async function find(url: string, name: string): Promise<TaskFunction | LoadFailure> {
  const key = `${name}\n${url}`;
  const known = functions.get(key);
  if (known !== undefined) return known;
  const loaded = await loadExport(url, name);
  if (!(loaded instanceof LoadFailure)) functions.set(key, loaded);
  return loaded;
}

function notRun({ what, thrown }: LoadFailure, canCross: CanCross): FrameResult {
  const failure = { index: 0, what, thrown: encodeThrown(thrown, canCross) };
  return { reply: { results: [], failures: [failure], elapsed: 0 }, transferList: [] };
}

function unwrap(value: unknown, transferList: Transferable[]): unknown {
  if (!(value instanceof Transferred)) return value;
  transferList.push(...value.transferList);
  return value.value as unknown;
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
