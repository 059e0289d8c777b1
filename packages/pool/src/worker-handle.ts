import type { Transferable } from 'node:worker_threads';
import type { Call } from './call-table.ts';
import type { WorkerExit } from './errors.ts';
import type { Carried, Outcome } from './frame.ts';

/** What of a task is sent. */
export interface Shipment {
  readonly call: Call;
  readonly item: unknown;
  readonly carried: Carried | undefined;
  readonly transferList: readonly Transferable[] | undefined;
}

/** What came of a task, and when it ran by the clock of this thread. */
export interface Answer {
  /** `undefined` of a task that was taken back: the worker came by and left it alone. */
  readonly outcome: Outcome | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** One worker, as the scheduler sees it. It runs one task at a time, in the order they are sent; each has a sequence number. */
export interface WorkerHandle {
  /** Resolves when it takes tasks. Rejects with a `WorkerStartError`, after {@link WorkerHandle.exited}, when it never will. */
  readonly opened: Promise<void>;
  /** Resolves when it is gone, for whatever reason: nothing of it runs any more. Never rejects. */
  readonly exited: Promise<WorkerExit>;
  /** How many tasks may be on their way there and back. */
  readonly window: number;
  /** Bytes of heap it used lately; 0 when it was not to tell. */
  readonly heap: number;
  /** Called when there may be answers. */
  onRing: () => void;
  /** Sends tasks together and returns the sequence number of the first. @throws InputFailure when one of them cannot be sent; then none was */
  send(tasks: readonly Shipment[]): number;
  /** What came of a task, to be asked in the order of the sequence; `undefined` while nothing did. Works after its end, too. */
  answer(sequence: number): Answer | undefined;
  /** When it started a task that has not ended; `undefined` when it did not. When in doubt, it did. */
  startOf(sequence: number): number | undefined;
  /** Takes a task back; `false` when it was started. Works after its end, too. */
  revoke(sequence: number): boolean;
  /** Ends it at once. Idempotent. */
  terminate(): void;
  /** Frees what it holds; after its end, when nothing is asked any more. */
  release(): void;
}

/** Tasks could not be sent, and were not. */
export class InputFailure {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}
