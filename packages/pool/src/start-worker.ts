import type { Options as TinypoolOptions } from 'tinypool';
import { entryPath } from './entry-path.ts';
import { ProcessWorker } from './process-worker.ts';
import { ThreadWorker } from './thread-worker.ts';
import type { WorkerHandle } from './worker-handle.ts';
import type { ResolvedOptions } from './worker-pool-options.ts';

/** What starts one more worker, each time it is called. */
export function workerStarter(options: ResolvedOptions): () => WorkerHandle {
  const { runtime, workerData, resourceLimits, maxHeapPerWorker } = options;
  const open = { workerData, tellHeap: maxHeapPerWorker !== Infinity };
  const filename = entryPath();
  // Both runtimes drop variables that are `undefined`.
  const env = options.env as Record<string, string>;
  if (runtime === 'worker_threads') {
    const settings: TinypoolOptions = { filename, runtime, env, ...(resourceLimits && { resourceLimits }) };
    return () => new ThreadWorker(settings, open);
  }
  const settings = { filename, runtime, env, execArgv: [...process.execArgv, ...heapFlags(options)] };
  return () => new ProcessWorker(settings, open);
}

/** V8's flags for what `resourceLimits` says: only threads take it as it is. */
function heapFlags({ resourceLimits }: ResolvedOptions): string[] {
  const { maxOldGenerationSizeMb: old, maxYoungGenerationSizeMb: young } = resourceLimits ?? {};
  const flags: string[] = [];
  if (old !== undefined) flags.push(`--max-old-space-size=${old}`);
  // The young generation is three semi-spaces.
  if (young !== undefined) flags.push(`--max-semi-space-size=${Math.max(1, Math.floor(young / 3))}`);
  return flags;
}
