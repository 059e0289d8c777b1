import { deadline, delay } from '@perf/core';
import type { Redis } from 'ioredis';
import { DurableClosedError, DurableCrashedError, DurableLockLostError } from './durable-errors.ts';
import { JOB_NAME, type JobData, type JobOperation, isJobData } from './durable-job.ts';
import { DurableGuests } from './durable-guests.ts';
import { type Verdict, judge } from './durable-judge.ts';
import { keepTrying } from './durable-keep-trying.ts';
import type { DurableKeys } from './durable-keys.ts';
import { Messages, type Settlement, settlementInput } from './durable-ledger.ts';
import { type DurableOutcome, failedCall, readDurableOutcomes } from './durable-outcomes.ts';
import { DurablePending } from './durable-pending.ts';
import { planCall } from './durable-plan.ts';
import { runScript } from './durable-script.ts';
import type { DurableTelemetry } from './durable-telemetry.ts';
import { ABANDON_CALL, OPEN_CALL, PEEK, SETTLE, TAKE_TURN } from './durable-turn-scripts.ts';
import type { DurableWorkerSettings } from './durable-worker-options.ts';
import { BatchTimeoutError } from './errors.ts';

/** What the turns of a worker have in common. */
export interface TurnContext<Op, R> {
  readonly settings: DurableWorkerSettings<Op, R>;
  readonly redis: Redis;
  readonly keys: DurableKeys;
  readonly telemetry: DurableTelemetry;
  /** Takes a job of the partition that waits out of the queue. Never rejects. */
  readonly remove: (job: string) => Promise<unknown>;
}

/** The job a turn is for. */
export interface TurnJob {
  readonly id: string;
  readonly data: JobData;
  /** BullMQ's token for the job's lock. */
  readonly token: string;
  readonly partition: number;
}

/** What Redis knows of the operations of a job. */
interface Known {
  readonly records: readonly (string | null)[];
  readonly crashes: readonly (string | null)[];
  /** The job, if it was taken along. */
  readonly guest?: string;
}

/** From this many crashes on, an operation is executed alone. */
const SUSPECT = 2;

/** How many batches a turn may have taken up and not executed, while operations wait to be tried again. */
const CROWD = 10;

/** How often, in milliseconds, it looks for other jobs meanwhile. */
const LOOK_AGAIN = 100;

/**
 * One turn of a worker in a partition: it executes the operations of a job, and of the jobs waiting behind it as long as they fit.
 *
 * The turn has a number, the fence. Whoever takes the next turn counts it up, and from then on this one can neither open a call nor record an outcome: what it
 * did and could not record is done again, by whoever has taken over, before anything that comes later.
 */
export class DurableTurn<Op, R> {
  readonly #context: TurnContext<Op, R>;
  readonly #job: TurnJob;
  readonly #pending = new Map<string, DurablePending<Op>>();
  readonly #abort = new AbortController();
  readonly #end = new AbortController();
  readonly #guests: DurableGuests;
  #fence = 0;
  #calls = 0;

  constructor(context: TurnContext<Op, R>, job: TurnJob) {
    this.#context = context;
    this.#job = job;
    this.#guests = new DurableGuests(context.remove);
  }

  /** Ends the turn after the call under way. */
  end(reason: unknown): void {
    this.#end.abort(reason);
  }

  /** Ends the turn without waiting for the call under way. */
  abort(reason: unknown): void {
    this.#abort.abort(reason);
    this.#end.abort(reason);
  }

  /** Resolves when all operations have settled; rejects when the turn is lost, or given up because the worker closes. */
  async run(): Promise<void> {
    const { maxSize, maxPerKey } = this.#context.settings;
    const waiting = await this.#take();
    if (waiting > 0) await this.#invite(maxSize);
    while (this.#pending.size > 0) {
      this.#end.signal.throwIfAborted();
      const { call, readyAt } = planCall(this.#pending.values(), { now: performance.now(), maxSize, maxPerKey });
      if (call.length > 0) await this.#call(call);
      else await this.#wait(readyAt);
    }
    await this.#guests.gone();
  }

  /** All that is here has to wait: for others, jobs that come meanwhile are taken along. */
  async #wait(readyAt: number): Promise<void> {
    if (await this.#invite(CROWD * this.#context.settings.maxSize)) return;
    const wait = Math.max(0, readyAt - performance.now());
    await delay(Math.min(wait, LOOK_AGAIN), { signal: this.#end.signal });
  }

  /** Returns how many jobs wait. */
  async #take(): Promise<number> {
    const { keys } = this.#context;
    const { data, id, token, partition } = this.#job;
    const ids = data.ops.map((op) => op.i);
    const turn = [keys.lock(partition, id), keys.fence(partition), keys.crashes(partition)];
    const queue = [keys.waiting(partition), keys.settings(partition)];
    const input = { keys: [...turn, ...queue, ...ids.map((each) => keys.record(each))], args: [token, ...ids] };
    const reply = await this.#insist(() => runScript(this.#context.redis, TAKE_TURN, input));
    if (reply === null) throw new DurableLockLostError(partition);
    const [fence, records, crashes, waiting] = reply as [number, (string | null)[], (string | null)[], number];
    this.#fence = fence;
    await this.#admit(data, { records, crashes });
    return waiting;
  }

  /**
   * Takes up operations of jobs that wait, up to `most` of all together: their turn would come next anyway.
   *
   * @returns whether there were any
   */
  async #invite(most: number): Promise<boolean> {
    const { keys, redis } = this.#context;
    const { partition } = this.#job;
    const room = most - this.#pending.size;
    if (room <= 0) return false;
    const peek = { keys: [keys.waiting(partition)], args: [room, keys.jobs(partition), ...this.#guests.jobs] };
    const found = (await this.#insist(() => runScript(redis, PEEK, peek))) as string[];
    for (let index = 0; index + 1 < found.length; index += 2) {
      const data: unknown = JSON.parse(found[index + 1] as string);
      if (!isJobData(JOB_NAME, data)) return index > 0;
      const ids = data.ops.map((op) => op.i);
      const [records, crashes] = await this.#insist(() =>
        Promise.all([redis.mget(ids.map((each) => keys.record(each))), redis.hmget(keys.crashes(partition), ...ids)]),
      );
      const guest = found[index] as string;
      this.#guests.came(guest, await this.#admit(data, { records, crashes, guest }));
    }
    return found.length > 0;
  }

  /** Answers what has been executed before, and puts the rest in line. Returns how many of the job are. */
  async #admit(data: JobData, { records, crashes, guest }: Known): Promise<number> {
    let waiting = 0;
    const messages = new Messages(this.#context.keys);
    const dead: Settlement<Op>[] = [];
    for (const [index, op] of data.ops.entries()) {
      const record = records[index] ?? undefined;
      if (record !== undefined) {
        messages.add([data.from], op.i, record);
        continue;
      }
      const twin = this.#pending.get(op.i);
      const { pending, error } = twin
        ? { pending: twin, error: undefined }
        : this.#read(op, data.from, Number(crashes[index] ?? 0));
      if (error === undefined) {
        this.#pending.set(op.i, pending);
        pending.producers.add(data.from);
        if (guest !== undefined) pending.guests.push(guest);
        waiting++;
      } else {
        dead.push({ pending, verdict: { kind: 'dead', error } });
      }
    }
    for (const [channel, message] of messages.list()) {
      // Who misses it looks by itself after a while.
      this.#context.redis.publish(channel, message).catch(this.#context.settings.onError);
    }
    if (dead.length > 0) await this.#settle(dead);
    return waiting;
  }

  #read(op: JobOperation, from: string, crashes: number): { pending: DurablePending<Op>; error: unknown } {
    const { groupBy, maxCrashes, maxSize } = this.#context.settings;
    const cap = crashes >= SUSPECT ? 1 : maxSize;
    let group = 'default';
    let error: unknown;
    try {
      if (groupBy !== undefined) group = String(groupBy(op.v as Op));
    } catch (thrown) {
      error = thrown ?? new TypeError('`groupBy` threw nothing');
    }
    if (crashes >= maxCrashes) error = new DurableCrashedError(op.i, crashes);
    return { pending: new DurablePending<Op>(op, { from, group, cap }), error };
  }

  async #call(call: readonly DurablePending<Op>[]): Promise<void> {
    const { keys, redis, settings, telemetry } = this.#context;
    const { partition, id } = this.#job;
    const names = [keys.fence(partition), keys.crashes(partition)];
    const args = [this.#fence, `${id}/${this.#fence}/${this.#calls++}`, ...call.map(({ key }) => key)];
    const opened = await this.#insist(() => runScript(redis, OPEN_CALL, { keys: names, args }));
    if (opened !== 1) throw new DurableLockLostError(partition);
    const outcomes = await this.#execute(call).catch(async (error: unknown) => {
      // A worker that closes is not the fault of an operation.
      if (error instanceof DurableClosedError) await runScript(redis, ABANDON_CALL, { keys: names, args });
      throw error;
    });
    const verdicts = judge(call, outcomes, { policy: settings.retry, random: Math.random });
    const settlements = call.map((pending, index) => ({ pending, verdict: verdicts[index] as Verdict }));
    await this.#settle(settlements);
    for (const { pending, verdict } of settlements) {
      if (verdict.kind !== 'again') continue;
      pending.attempt++;
      pending.cap = verdict.cap;
      pending.readyAt = performance.now() + verdict.wait;
    }
    telemetry.settled('retried', verdicts.filter(({ kind }) => kind === 'again').length);
  }

  async #execute(call: readonly DurablePending<Op>[]): Promise<DurableOutcome[]> {
    const { settings, telemetry } = this.#context;
    const { group, attempt } = call[0] as DurablePending<Op>;
    const { partition } = this.#job;
    const facts = { group, attempt, size: call.length };
    const callers = call.map((each) => each.traceparent).filter((each) => each !== undefined);
    const given = {
      group,
      partition,
      attempt,
      fence: this.#fence,
      idempotencyKeys: Object.freeze(call.map((each) => each.key)),
      orderingKeys: Object.freeze(call.map((each) => each.orderingKey)),
    };
    const ops = Object.freeze(call.map((each) => each.copy()));
    try {
      const answer = await telemetry.call({ ...facts, partition, callers }, () =>
        deadline((signal) => settings.execute(ops, { ...given, signal }), {
          timeout: settings.timeout,
          signal: this.#abort.signal,
          onTimeout: (timeout) => new BatchTimeoutError(facts, timeout),
        }),
      );
      return readDurableOutcomes(answer, facts);
    } catch (error) {
      this.#abort.signal.throwIfAborted();
      return failedCall(call.length, error);
    }
  }

  async #settle(settlements: readonly Settlement<Op>[]): Promise<void> {
    const { keys, redis, settings, telemetry } = this.#context;
    const { partition } = this.#job;
    const facts = { keys, partition, fence: this.#fence, now: Date.now(), settings };
    const input = settlementInput(settlements, facts);
    const settled = await this.#insist(() => runScript(redis, SETTLE, input));
    if (settled !== 1) throw new DurableLockLostError(partition);
    let failed = 0;
    let succeeded = 0;
    for (const { pending, verdict } of settlements) {
      if (verdict.kind === 'again') continue;
      this.#pending.delete(pending.key);
      this.#guests.settled(pending.guests);
      if (verdict.kind === 'ok') succeeded++;
      else failed++;
    }
    telemetry.settled('succeeded', succeeded);
    telemetry.settled('failed', failed);
  }

  #insist<T>(work: () => Promise<T>): Promise<T> {
    return keepTrying(work, { signal: this.#abort.signal, onError: this.#context.settings.onError });
  }
}
