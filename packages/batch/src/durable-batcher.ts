import { randomUUID } from 'node:crypto';
import { type Closeable, abortable, checkName, isPerfError } from '@perf/core';
import type { Queue } from 'bullmq';
import { Batcher } from './batcher.ts';
import { closeTimeout } from './batcher-calls.ts';
import {
  type DurableAddOptions,
  type DurableCloseOptions,
  type DurableWaitOptions,
  addOptions,
  checkKeys,
  waitSignal,
} from './durable-call-options.ts';
import { DurableLink } from './durable-connection.ts';
import { DurableDeadLetters } from './durable-dead-letters.ts';
import { DurableClosedError } from './durable-errors.ts';
import { JOB_NAME, JOB_OPTIONS, type JobData, jobId } from './durable-job.ts';
import { keepTrying } from './durable-keep-trying.ts';
import { DurableKeys } from './durable-keys.ts';
import type { DeadLetter } from './durable-letter.ts';
import { type DurableBatcherOptions, type DurableBatcherSettings, durableBatcherSettings } from './durable-options.ts';
import { type Outgoing, onTheWire, packOperation } from './durable-outgoing.ts';
import { type DurableProgress, watchProgress } from './durable-progress.ts';
import { closeQueues, openQueues } from './durable-queues.ts';
import { DurableReplies } from './durable-replies.ts';
import { type DurableStats, durableStats } from './durable-stats.ts';
import { settleEach } from './settle-each.ts';

/**
 * Adds operations to a durable queue, to be executed by {@link durableWorker}s, here or elsewhere; waits for their results; and looks after what failed for good.
 *
 * Operations of one partition are sent in jobs, one after the other: what is added while one is on its way goes in the next.
 */
export class DurableBatcher<Op, R> implements Closeable {
  readonly #settings: DurableBatcherSettings<Op>;
  readonly #link: DurableLink;
  readonly #keys: DurableKeys;
  readonly #producer: string = randomUUID();
  readonly #replies: DurableReplies;
  readonly #letters: DurableDeadLetters;
  readonly #intake: Batcher<Outgoing, undefined>;
  readonly #closing = new AbortController();
  readonly #queues: Promise<readonly Queue[]>;
  #closed: Promise<void> | undefined;

  /** Throws a `RangeError`, `TypeError` or `DurableConnectionError` for a bad option. */
  constructor(options: DurableBatcherOptions<Op>) {
    this.#settings = durableBatcherSettings(options);
    const { connection, maxBytes, maxPending, maxSize, linger, name, onError, prefix } = this.#settings;
    this.#link = new DurableLink(connection, onError);
    this.#keys = new DurableKeys(prefix, name);
    this.#replies = new DurableReplies(this.#link, this.#keys, { producer: this.#producer, onError });
    this.#letters = new DurableDeadLetters(this.#link.redis, this.#keys, this.#producer);
    this.#intake = new Batcher<Outgoing, undefined>({
      name: `${name} (intake)`,
      execute: (ops) => this.#send(ops),
      groupBy: ({ partition }) => String(partition),
      // One job at a time: the next one is sent when Redis has this one, however often that takes.
      orderingKey: ({ partition }) => partition,
      dedupeKey: ({ key }) => key,
      concurrency: Infinity,
      maxSize,
      maxBytes,
      sizeOf: ({ bytes }) => bytes,
      maxPending,
      linger,
    });
    const participant = { settings: this.#settings, link: this.#link, keys: this.#keys, signal: this.#closing.signal };
    this.#queues = openQueues(participant);
    this.#queues.catch((error: unknown) => {
      if (!this.#closing.signal.aborted) onError(error);
    });
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Resolves when Redis is there; rejects with a `DurablePartitionsError`. Adding need not wait for it. */
  async ready(): Promise<void> {
    await this.#queues;
  }

  /**
   * Adds an operation and resolves with its result, when a worker anywhere has executed it. Should this process die before, another one can wait for
   * `result(idempotencyKey)`. Never throws; rejects
   * - with a `DurableFailedError` when it failed for good;
   * - with `signal.reason`;
   * - with a `DurableSerializationError` or `DurableTooLargeError`, the operation not added; or the former with `part: 'result'`;
   * - with a `DurableClosedError`, whose `durable` tells whether it is in Redis;
   * - with a `QueueFullError` (`PERF_BATCH_FULL`) when `maxPending` operations are not in Redis yet;
   * - with a `DurablePartitionsError`; with what `orderingKey` or `idempotencyKey` threw for it.
   */
  async add(op: Op, options?: DurableAddOptions): Promise<R> {
    const outgoing = this.#pack(op, options);
    const sent = this.#admit(outgoing, options?.signal);
    return (await this.#replies.wait(outgoing.key, { sent, signal: options?.signal })) as R;
  }

  /** Adds an operation and resolves with its idempotency key when it is in Redis. Rejects as {@link DurableBatcher.add} does, but knows nothing of the outcome. */
  async enqueue(op: Op, options?: DurableAddOptions): Promise<string> {
    const outgoing = this.#pack(op, options);
    await this.#admit(outgoing, options?.signal);
    return outgoing.key;
  }

  /** Adds several operations, and resolves when all have settled, with the outcome of each in the order given. Rejects only if iterating `ops` throws, or for bad options. */
  async addMany(ops: Iterable<Op>, options: DurableWaitOptions = {}): Promise<PromiseSettledResult<R>[]> {
    const signal = waitSignal('addMany', options);
    return settleEach(ops, (op) => this.add(op, { signal }));
  }

  /**
   * Resolves with the result of an operation added by any process, as `add` does; waits for it when there is none yet, so for ever for a key nobody added, or one whose
   * result has been forgotten after `resultTtl`.
   */
  async result(idempotencyKey: string, options: DurableWaitOptions = {}): Promise<R> {
    checkName('idempotencyKey', idempotencyKey);
    const signal = waitSignal('result', options);
    return (await this.#replies.waitForAny(idempotencyKey, signal)) as R;
  }

  /** Tells how many of the operations with these idempotency keys have settled, now and whenever that changes, until all have. Rejects with `signal.reason` or a `DurableClosedError`. */
  progress(
    idempotencyKeys: Iterable<string>,
    options: DurableWaitOptions = {},
  ): AsyncGenerator<DurableProgress, void, undefined> {
    const keys = checkKeys(idempotencyKeys);
    return watchProgress(keys, (key, stop) => this.result(key, { signal: stop }), waitSignal('progress', options));
  }

  /** Counts what is in the queue, over all producers and workers. */
  stats(options?: DurableWaitOptions): Promise<DurableStats> {
    return this.#ask(() => durableStats(this.#link.redis, this.#keys, this.#settings.partitions), options);
  }

  /** The operations that failed for good, the oldest first. They stay until they are replayed or discarded. */
  async *deadLetters(options?: DurableWaitOptions): AsyncGenerator<DeadLetter<Op>, void, undefined> {
    yield* this.#letters.list<Op>((work) => this.#ask(work, options));
  }

  /**
   * Has a dead letter executed again, under the same idempotency key, after all that is in the queue now: later operations of its ordering key that have been executed
   * meanwhile are not undone. Resolves with whether there was one. Its result is to be had by {@link DurableBatcher.result}.
   */
  async replay(idempotencyKey: string, options?: DurableWaitOptions): Promise<boolean> {
    checkName('idempotencyKey', idempotencyKey);
    return this.#ask((queues) => this.#letters.replay(idempotencyKey, queues), options);
  }

  /** Replays all dead letters there are, the oldest first. Resolves with how many. */
  async replayAll(options?: DurableWaitOptions): Promise<number> {
    const keys: string[] = [];
    for await (const { key } of this.deadLetters(options)) keys.push(key);
    let replayed = 0;
    for (const key of keys) if (await this.replay(key, options)) replayed++;
    return replayed;
  }

  /** Gives a dead letter up, and forgets its idempotency key. Resolves with whether there was one. */
  async discard(idempotencyKey: string, options?: DurableWaitOptions): Promise<boolean> {
    checkName('idempotencyKey', idempotencyKey);
    return this.#ask(() => this.#letters.discard(idempotencyKey), options);
  }

  /** Sends what waits without lingering, and resolves when everything added before is in Redis, or was refused. */
  flush(): Promise<void> {
    return this.#intake.flush();
  }

  /** Resolves when nothing waits here to be sent, and no `add` or `result` for its outcome. */
  async drain(): Promise<void> {
    await this.#intake.drain();
    await this.#replies.drained();
  }

  /**
   * Takes no more operations, and resolves when those added are in Redis or `timeout` is up. Whoever still waits for a result gets a `DurableClosedError`; use
   * {@link DurableBatcher.drain} before to wait for results. Idempotent: a later call may set a timeout.
   */
  close(options: DurableCloseOptions = {}): Promise<void> {
    let timeout: number;
    try {
      timeout = closeTimeout(options);
    } catch (error) {
      return Promise.reject(error);
    }
    const intake = this.#intake.close({ timeout });
    this.#closed ??= this.#finish(intake);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #finish(intake: Promise<unknown>): Promise<void> {
    await intake;
    this.#replies.close((key, durable) => this.#closedError(key, durable));
    this.#closing.abort(this.#closedError(undefined, false));
    this.#queues.then(closeQueues, () => {});
    this.#link.close();
  }

  #closedError(key: string | undefined, durable: boolean): DurableClosedError {
    const component = `DurableBatcher ${JSON.stringify(this.#settings.name)}`;
    return new DurableClosedError(component, key === undefined ? { durable } : { key, durable });
  }

  /** Has Redis asked something, when it is there. */
  async #ask<T>(work: (queues: readonly Queue[]) => Promise<T>, options: DurableWaitOptions = {}): Promise<T> {
    const signal = waitSignal('a call of a durable batcher', options);
    this.#refuseWhenClosed();
    return abortable(this.#queues.then(work), signal);
  }

  #refuseWhenClosed(): void {
    if (this.closed) throw this.#closedError(undefined, false);
  }

  #pack(op: Op, options: DurableAddOptions = {}): Outgoing {
    const given = addOptions(options).idempotencyKey;
    this.#refuseWhenClosed();
    const { idempotencyKey = () => randomUUID(), maxBytes, orderingKey, partitions } = this.#settings;
    // A key that is missing is refused: with a random one instead, the operation would be another each time it is added.
    const key = given ?? idempotencyKey(op);
    return packOperation(op, { key, orderingKey: orderingKey?.(op), partitions, maxBytes });
  }

  /** Resolves when the operation is in Redis. */
  #admit(outgoing: Outgoing, signal: AbortSignal | undefined): Promise<unknown> {
    const sent = this.#intake.add(outgoing, signal && { signal });
    return sent.catch((error: unknown) => {
      const reason = isPerfError(error, 'PERF_BATCH_FAILED') ? error.cause : error;
      const closed = isPerfError(reason, 'PERF_BATCH_CLOSED') || reason instanceof DurableClosedError;
      throw closed ? this.#closedError(outgoing.key, false) : reason;
    });
  }

  async #send(batch: readonly Outgoing[]): Promise<undefined[]> {
    const queues = await this.#queues;
    const { partition } = batch[0] as Outgoing;
    const queue = queues[partition] as Queue;
    const data: JobData = { from: this.#producer, ops: batch.map(onTheWire) };
    // Named once: Redis takes it once, however often it is sent. Should it have been executed and forgotten by then, its operations have not.
    const id = jobId(randomUUID(), batch.length);
    const { onError } = this.#settings;
    await keepTrying(() => queue.add(JOB_NAME, data, { ...JOB_OPTIONS, jobId: id }), {
      signal: this.#closing.signal,
      onError,
    });
    return Array.from({ length: batch.length }, () => undefined);
  }
}

/**
 * Makes a producer for the durable queue `name`.
 *
 * Throws a `RangeError`, `TypeError` or `DurableConnectionError` for a bad option.
 */
export function durableBatcher<Op, R = unknown>(options: DurableBatcherOptions<Op>): DurableBatcher<Op, R> {
  return new DurableBatcher(options);
}
