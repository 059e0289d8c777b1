import { type Closeable, checkBoolean, checkDuration, checkOptions, deadline, delay, startTimer } from '@perf/core';
import { type Job, type Queue, UnrecoverableError, type Worker } from 'bullmq';
import { DurableLink } from './durable-connection.ts';
import { DurableClosedError, DurableLockLostError } from './durable-errors.ts';
import { isJobData } from './durable-job.ts';
import { keepTrying } from './durable-keep-trying.ts';
import { DurableKeys } from './durable-keys.ts';
import { returnOrphans } from './durable-orphans.ts';
import { DurablePartitionWorker } from './durable-partition-worker.ts';
import { closeQueues, openQueues } from './durable-queues.ts';
import { DurableTelemetry } from './durable-telemetry.ts';
import { DurableTurn } from './durable-turn.ts';
import {
  type DurableWorkerOptions,
  type DurableWorkerSettings,
  durableWorkerSettings,
} from './durable-worker-options.ts';

/** Options of {@link DurableWorker.close}. */
export interface DurableWorkerCloseOptions {
  /** Abandons calls under way: their operations are executed again elsewhere. @default false */
  readonly force?: boolean | undefined;
  /** How long to wait for calls under way, in milliseconds; then as with `force`. @default Infinity */
  readonly timeout?: number | undefined;
}

/** How often, in seconds, an idle partition looks for work nobody told it of. */
const LOOK = 1;

/** How long, in milliseconds, Redis may take to hear of calls that were abandoned. */
const GRACE = 500;

/**
 * Executes what durable batchers of the same name add, on this machine; any number of workers share the work.
 *
 * One worker at a time has the turn in a partition, so operations of one ordering key are executed in order. It loses it when it gives no sign of life for `lockDuration`.
 */
export class DurableWorker<Op, R> implements Closeable {
  readonly #settings: DurableWorkerSettings<Op, R>;
  readonly #link: DurableLink;
  readonly #keys: DurableKeys;
  readonly #telemetry: DurableTelemetry;
  readonly #turns = new Map<string, DurableTurn<Op, R>>();
  readonly #closing = new AbortController();
  readonly #started: Promise<void>;
  #queues: readonly Queue[] = [];
  #workers: readonly Worker[] = [];
  readonly #abandoned: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #closed: Promise<void> | undefined;

  /** Starts at once. Throws a `RangeError`, `TypeError` or `DurableConnectionError` for a bad option. */
  constructor(options: DurableWorkerOptions<Op, R>) {
    this.#settings = durableWorkerSettings(options);
    const { connection, onError, prefix, name } = this.#settings;
    this.#link = new DurableLink(connection, onError);
    this.#keys = new DurableKeys(prefix, name);
    this.#telemetry = new DurableTelemetry(name);
    this.#started = this.#start();
    this.#started.catch((error: unknown) => {
      if (!this.closed) onError(error);
    });
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Resolves when it takes part; rejects with a `DurablePartitionsError`, or a `DurableClosedError`. Waits as long as Redis is away. */
  ready(): Promise<void> {
    return this.#started;
  }

  /**
   * Takes no more work, and resolves when the calls under way are over and recorded; what has not been executed stays in Redis for other workers. Idempotent: a later call
   * may force.
   */
  close(options: DurableWorkerCloseOptions = {}): Promise<void> {
    let timeout: number;
    try {
      checkOptions('close', options, ['force', 'timeout']);
      timeout = checkDuration('timeout', options.timeout ?? Infinity);
      if (checkBoolean('force', options.force ?? false)) this.#abandon();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#closing.abort(
      new DurableClosedError(`DurableWorker ${JSON.stringify(this.#settings.name)}`, { durable: true }),
    );
    for (const turn of this.#turns.values()) turn.end(this.#closing.signal.reason);
    this.#closed ??= this.#finish();
    if (timeout === Infinity) return this.#closed;
    const closed = this.#closed;
    return deadline(() => closed, { timeout }).catch(() => {
      this.#abandon();
      return closed;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #start(): Promise<void> {
    const { prefix, onError, lockDuration } = this.#settings;
    const participant = { settings: this.#settings, link: this.#link, keys: this.#keys, signal: this.#closing.signal };
    this.#queues = await openQueues(participant);
    this.#closing.signal.throwIfAborted();
    this.#workers = this.#queues.map((queue, partition) => {
      const process = (job: Job, token = ''): Promise<void> => this.#process(job, { partition, token });
      const worker = new DurablePartitionWorker(queue.name, process, {
        signal: this.#closing.signal,
        connection: this.#link.redis,
        prefix,
        autorun: false,
        lockDuration,
        stalledInterval: Math.ceil(lockDuration / 2),
        // Operations are counted instead, see `maxCrashes`.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        drainDelay: LOOK,
        runRetryDelay: 500,
      });
      worker.on('error', onError);
      worker.on('lockRenewalFailed', (jobs: string[]) => {
        for (const job of jobs) this.#turns.get(job)?.abort(new DurableLockLostError(partition));
      });
      return worker;
    });
    for (const worker of this.#workers) void this.#keepRunning(worker);
    this.#link.whenBack(() => this.#returnOrphans());
  }

  #returnOrphans(): void {
    for (const [partition, worker] of this.#workers.entries()) {
      const search = {
        redis: this.#link.redis,
        keys: this.#keys,
        partition,
        queue: this.#queues[partition] as Queue,
        worker,
        isUnderWay: (job: string) => this.#turns.has(job),
        signal: this.#closing.signal,
      };
      returnOrphans(search).catch((error: unknown) => {
        if (!this.closed) this.#settings.onError(error);
      });
    }
  }

  /** A worker that stopped would leave its partition to the others, or to nobody. */
  #keepRunning(worker: Worker): Promise<void> {
    const { onError } = this.#settings;
    return keepTrying(() => worker.run(), { signal: this.#closing.signal, onError }).catch(() => {});
  }

  async #process(
    job: Job,
    { partition, token }: { readonly partition: number; readonly token: string },
  ): Promise<void> {
    // Should it not be finished, it goes back to where it came from, before those that wait: not to their end, where BullMQ puts what failed.
    job.opts.lifo = true;
    const id = job.id ?? '';
    const context = {
      settings: this.#settings,
      redis: this.#link.redis,
      keys: this.#keys,
      telemetry: this.#telemetry,
      remove: (guest: string) => this.#remove(partition, guest),
    };
    const data: unknown = job.data;
    if (!isJobData(job.name, data)) throw new UnrecoverableError('this is no job of a durable batcher');
    const turn = new DurableTurn(context, { id, data, token, partition });
    this.#turns.set(id, turn);
    // BullMQ may have been about to take one more.
    if (this.#closing.signal.aborted) turn.end(this.#closing.signal.reason);
    try {
      await turn.run();
    } catch (error) {
      if (!this.closed) await this.#tell(error);
      throw error;
    } finally {
      this.#turns.delete(id);
    }
  }

  /** Unless the turn was lost, nothing known ends it so. It comes again, as nothing must be lost, but not at once. */
  async #tell(error: unknown): Promise<void> {
    this.#settings.onError(error);
    if (!(error instanceof DurableLockLostError)) await delay(1000, { signal: this.#closing.signal }).catch(() => {});
  }

  #remove(partition: number, job: string): Promise<unknown> {
    const queue = this.#queues[partition] as Queue;
    return queue.remove(job, { removeChildren: false }).catch(this.#settings.onError);
  }

  #abandon(): void {
    const reason = new DurableClosedError(`DurableWorker ${JSON.stringify(this.#settings.name)}`, { durable: true });
    for (const turn of this.#turns.values()) turn.abort(reason);
    startTimer(this.#abandoned.resolve, GRACE, { unref: true });
  }

  async #finish(): Promise<void> {
    await this.#started.catch(() => {});
    const closed = Promise.all(this.#workers.map((worker) => worker.close()));
    await Promise.race([closed, this.#abandoned.promise]);
    closeQueues(this.#queues);
    this.#link.close();
  }
}

/**
 * Starts a worker for the durable queue `name`.
 *
 * Throws a `RangeError`, `TypeError` or `DurableConnectionError` for a bad option.
 */
export function durableWorker<Op, R>(options: DurableWorkerOptions<Op, R>): DurableWorker<Op, R> {
  return new DurableWorker(options);
}
