import type { PoolTask } from './pool-task.ts';
import { WaitQueue } from './wait-queue.ts';

/** The tasks that wait, and how many of them count for a limit: the parts of a map have one of their own. */
export class TaskQueue extends WaitQueue<PoolTask> {
  #bounded = 0;

  get bounded(): number {
    return this.#bounded;
  }

  override push(task: PoolTask, priority: number, now: number): void {
    if (task.isBounded) this.#bounded++;
    super.push(task, priority, now);
  }

  override restore(task: PoolTask): void {
    if (task.isBounded) this.#bounded++;
    super.restore(task);
  }

  override remove(task: PoolTask): void {
    if (task.isBounded && task.lane !== undefined) this.#bounded--;
    super.remove(task);
  }
}
