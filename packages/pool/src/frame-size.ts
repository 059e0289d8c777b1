/**
 * Milliseconds a frame should take: crossing costs a few hundredths of one, and this is how long a task may wait for its neighbours, or for a worker
 * that a frame before went to.
 */
export const FRAME_TIME = 1;
/** Keeps a frame's tasks in reach of the others, and its memory small. */
const MAX_TASKS = 256;

/**
 * How many tasks may go together at most: no more than half of each worker's share of those that wait, so that the workers end together
 * (guided self-scheduling, Polychronopoulos and Kuck, 1987).
 */
export function largestFrame(waiting: number, workers: number): number {
  return Math.max(1, Math.min(MAX_TASKS, Math.ceil(waiting / (2 * workers))));
}

/** What is known of a task that may join a frame. */
export interface Candidate {
  /** Milliseconds it is expected to take; `undefined` when nobody knows. */
  readonly estimate: number | undefined;
  readonly isAlone: boolean;
}

/** Whether a task joins a frame of tasks that are expected to take `time` together: slow ones and unknown ones go alone, so that no worker idles meanwhile. */
export function joins(time: number, { estimate, isAlone }: Candidate): boolean {
  return !isAlone && estimate !== undefined && time + estimate <= FRAME_TIME;
}
