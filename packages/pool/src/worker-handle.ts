import type { Transferable } from 'node:worker_threads';
import type { WorkerExit } from './errors.ts';
import type { Frame, Reply } from './frame.ts';

/** One worker, as the scheduler sees it. */
export interface WorkerHandle {
  /** Resolves when it takes frames. Rejects with a `WorkerStartError`, after {@link WorkerHandle.exited}, when it never will. */
  readonly opened: Promise<void>;
  /** Resolves when it is gone, for whatever reason: nothing of it runs any more. Never rejects. */
  readonly exited: Promise<WorkerExit>;
  /**
   * Has a frame run; one at a time. Rejects with an {@link InputFailure} when the frame could not be sent and the worker is unharmed;
   * with a {@link WorkerGone} or not at all when the worker ends instead of answering.
   */
  send(frame: Frame, transferList: readonly Transferable[] | undefined): Promise<Reply>;
  /** Whether it got as far as starting this frame; when in doubt, it did. */
  hasStarted(frame: Frame): boolean;
  /** Ends it at once. Idempotent. */
  terminate(): void;
}

/** A frame could not be sent, and was not. */
export class InputFailure {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** The worker is ending: `exited` tells how. */
export class WorkerGone {
  readonly gone = true;
}
