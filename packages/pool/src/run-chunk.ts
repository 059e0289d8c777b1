import { isPromiseLike } from '@perf/core';
import type { Transferable } from 'node:worker_threads';
import { type CanCross, encodeThrown } from './encode-thrown.ts';
import type { Failure, Reply } from './frame.ts';
import type { TaskFunction } from './load-export.ts';
import type { TaskContext } from './task-context.ts';
import { Transferred, unwrap } from './transferred.ts';

/** Runs the items of a chunk one after the other, up to the first failure. Never rejects: what goes wrong is in the reply. */
export async function runChunk(
  fn: TaskFunction,
  items: readonly unknown[],
  how: { readonly context: TaskContext; readonly canCross: CanCross },
): Promise<Transferred<Reply>> {
  const results: unknown[] = [];
  const failures: Failure[] = [];
  const transferList: Transferable[] = [];
  const startedAt = performance.now();
  for (const item of items) {
    try {
      const returned = fn(item, how.context);
      const value: unknown = isPromiseLike(returned) ? await returned : returned;
      results.push(unwrap(value, transferList));
    } catch (error) {
      failures.push({ index: results.length, what: 'task', thrown: encodeThrown(error, how.canCross) });
      break;
    }
  }
  const elapsed = performance.now() - startedAt;
  const reply = failures.length === 0 ? { results, elapsed } : { results, failures, elapsed };
  return new Transferred(reply, transferList);
}
