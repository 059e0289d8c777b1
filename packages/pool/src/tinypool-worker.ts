import type { MessagePort, Transferable } from 'node:worker_threads';
import { MAX_TIMER_DELAY } from '@perf/core';
import { type Options as TinypoolOptions, Tinypool } from 'tinypool';
import { type WorkerExit, WorkerStartError } from './errors.ts';
import { encodeThrown } from './encode-thrown.ts';
import { type Frame, NOT_OPENED, type Reply } from './frame.ts';
import type { Transport } from './transport.ts';
import { InputFailure, WorkerGone, type WorkerHandle } from './worker-handle.ts';

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
export class TinypoolWorker implements WorkerHandle {
  readonly opened: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  readonly #pool: Tinypool;
  readonly #transport: Transport;
  #resolveExited!: (exit: WorkerExit) => void;
  /** It has ended or is about to: what Tinypool says of a task from now on is about that, not about the task. */
  #ending = false;
  #error: { readonly value: unknown } | undefined;

  constructor(options: TinypoolOptions, transport: Transport) {
    this.#transport = transport;
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
    this.opened = this.#open();
    // Its outcome is for whoever asks.
    this.opened.catch(() => {});
  }

  async send(frame: Frame, transferList: readonly Transferable[] | undefined): Promise<Reply> {
    let answer: unknown;
    try {
      const list = this.#transport.moves(transferList);
      answer = await this.#pool.run(this.#transport.encode(frame), list && { transferList: list });
    } catch (error) {
      throw this.#ending ? new WorkerGone() : new InputFailure(error);
    }
    const reply = answer === NOT_OPENED ? undefined : this.#decode(answer);
    if (reply !== undefined) return reply;
    this.terminate();
    throw new WorkerGone();
  }

  #decode(answer: unknown): Reply | undefined {
    try {
      return this.#transport.decode(answer);
    } catch (error) {
      // Cloned over there, and not to be read here.
      const thrown = encodeThrown(error, () => true);
      return { results: [], failures: [{ index: 0, what: 'result', thrown }], elapsed: 0 };
    }
  }

  hasStarted(frame: Frame): boolean {
    return this.#transport.hasStarted(frame);
  }

  terminate(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#pool.destroy().catch(() => {});
  }

  async #open(): Promise<void> {
    try {
      const { message, transferList } = this.#transport.open();
      const answer = this.#pool.run(message, { transferList: transferList as MessagePort[] });
      // Tinypool starts the worker within `run`.
      this.#watch(this.#pool.threads[0] as Thread);
      // Of a worker that ends before it is ready, Tinypool keeps the message for another one, which will never be.
      if ((await Promise.race([answer, this.exited])) !== undefined) throw new WorkerGone();
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
    this.#transport.close();
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
