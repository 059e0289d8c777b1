/** What decides how many workers to start. */
export interface WorkerDemand {
  /** Tasks that wait. */
  readonly waiting: number;
  /** Workers that will take one of them: idle or starting. */
  readonly free: number;
  /** Workers that exist, those that are ending included: each is a thread or process. */
  readonly existing: number;
  readonly minWorkers: number;
  readonly maxWorkers: number;
}

/** How many workers to start now: one for each task that has none, at least up to the minimum, never above the maximum. */
export function workersToStart({ waiting, free, existing, minWorkers, maxWorkers }: WorkerDemand): number {
  const wanted = Math.max(waiting - free, minWorkers - existing);
  return Math.max(0, Math.min(wanted, maxWorkers - existing));
}
