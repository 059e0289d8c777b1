import type { Frame } from './frame.ts';
import type { PoolTask } from './pool-task.ts';
import type { WorkerHandle } from './worker-handle.ts';

/**
 * A worker's place in the pool:
 *
 *     starting -> idle <-> busy
 *         \         \       /
 *          `-------> stopping -> (gone, and the place is free)
 *
 * A worker that ends by itself goes from any of these to gone.
 */
export class WorkerSlot {
  readonly handle: WorkerHandle;
  state: 'starting' | 'idle' | 'busy' | 'stopping' = 'starting';
  task: PoolTask | undefined;
  /** The frame that was sent last. */
  frame: Frame | undefined;
  /** How many tasks it was given. */
  served = 0;
  idleSince = 0;

  constructor(handle: WorkerHandle) {
    this.handle = handle;
  }

  stop(): void {
    this.state = 'stopping';
    this.handle.terminate();
  }
}
