import type { MessagePort, Transferable } from 'node:worker_threads';
import { MAX_TIMER_DELAY } from '@perf/core';
import { type Options as TinypoolOptions, Tinypool } from 'tinypool';
import { type WorkerExit, WorkerStartError } from './errors.ts';
import { NOT_OPENED } from './frame.ts';

/** What opens a worker. */
export interface FirstMessage {
  readonly message: unknown;
  readonly transferList: readonly Transferable[];
}

type Thread = Tinypool['threads'][number];

/** Said by Tinypool of a child process that ended; how it ended is told by the `exit` event. */
const UNEXPECTED_EXIT = 'Worker exited unexpectedly';

/**
 * One worker, held by a Tinypool of its own, and the one place that knows Tinypool.
 *
 * A Tinypool of one, because with several workers it does not say which of them runs a task, so that none could be ended alone; it also loses
 * tasks whose thread exits, brings a destroyed pool back to life, and kills the worker of a result that cannot be cloned. Here it starts one worker, wakes
 * it for each frame and ends it. What it lacks is added: the end of the worker is always noticed, exactly once, with its exit code.
 */
export class TinypoolWorker {
  /** Resolves when the dispatcher took the first message. Rejects with a `WorkerStartError`, after {@link TinypoolWorker.exited}, when it never will. */
  readonly opened: Promise<void>;
  /** Resolves when the worker is gone, for whatever reason. Never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #pool: Tinypool;
  #thread: Thread | undefined;
  #resolveExited!: (exit: WorkerExit) => void;
  /** It has ended or is about to: what Tinypool says of a task from now on is about that, not about the task. */
  #ending = false;
  #error: { readonly value: unknown } | undefined;

  constructor(options: TinypoolOptions, first: FirstMessage) {
    this.exited = new Promise((resolve) => (this.#resolveExited = resolve));
    this.#pool = new Tinypool({
      ...options,
      name: 'dispatch',
      // Never two: Tinypool itself must not replace a worker that ended.
      minThreads: 0,
      maxThreads: 1,
      // The pool decides who is idle too long. (Tinypool takes no `Infinity`: a timer of that delay fires at once.)
      idleTimeout: MAX_TIMER_DELAY,
      // Waiting on an atomic would freeze timers and I/O of the worker between tasks.
      useAtomics: false,
      serialization: 'advanced',
    });
    // Without a listener, a worker that ends while idle would be an uncaught exception here.
    this.#pool.on('error', () => {});
    this.opened = this.#open(first);
    // Its outcome is for whoever asks.
    this.opened.catch(() => {});
  }

  /** Has the dispatcher take one more message. Rejects when the worker ends instead. */
  run(message: unknown): Promise<unknown> {
    return this.#pool.run(message);
  }

  /** Keeps this process alive until the worker is gone. */
  ref(): void {
    this.#thread?.ref?.();
  }

  /** Ends it at once. Idempotent. */
  terminate(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#pool.destroy().catch(() => {});
  }

  async #open({ message, transferList }: FirstMessage): Promise<void> {
    try {
      const answer = this.#pool.run(message, { transferList: transferList as MessagePort[] });
      // Tinypool starts the worker within `run`.
      this.#thread = this.#pool.threads[0] as Thread;
      this.#watch(this.#thread);
      // Of a worker that ends before it is ready, Tinypool keeps the message for another one, which will never be.
      if ((await Promise.race([answer, this.exited])) !== undefined) throw new Error(NOT_OPENED);
    } catch (error) {
      if (this.#pool.threads.length === 0 && !this.#ending) this.#exit({ value: error });
      this.terminate();
      throw new WorkerStartError(await this.exited);
    }
  }

  #watch(thread: Thread): void {
    thread.on('error', (error: unknown) => {
      if (this.#ending) return;
      this.#ending = true;
      if (!isUnexpectedExit(error)) this.#error = { value: error };
      // A process that could not be started has no exit either.
      if (thread.threadId === undefined) this.#exit(this.#error);
    });
    // Not `on`: of a child process, Tinypool passes on the first argument only, and only of messages.
    thread.once('exit', (exitCode: number | null, signalCode?: string | null) => {
      this.#ending = true;
      this.#exit(this.#error, { exitCode, signalCode });
      // Tinypool does not listen to the exit of a thread: told like this, it settles and forgets what it knows of it.
      if (this.#pool.threads.includes(thread)) thread.emit('error', new Error(UNEXPECTED_EXIT));
    });
  }

  #exit(
    error: { readonly value: unknown } | undefined,
    how: { readonly exitCode?: number | null; readonly signalCode?: string | null | undefined } = {},
  ): void {
    this.#resolveExited({
      exitCode: how.exitCode ?? undefined,
      signalCode: how.signalCode ?? undefined,
      ...(error && { error }),
    });
  }
}

function isUnexpectedExit(error: unknown): boolean {
  return error instanceof Error && error.message === UNEXPECTED_EXIT;
}
