import type { Span } from '@opentelemetry/api';
import type { Batch } from './batch.ts';
import type { Caller } from './caller.ts';
import type { FlushMark } from './flush-marks.ts';
import type { Group } from './group.ts';
import { keep } from './keep.ts';
import type { Lane } from './lane.ts';
import { type Link, LinkedQueue } from './linked-queue.ts';

/**
 * One added operation, from `add` until it settles: everything that is known of it, in one object, as there may be a million of them. It
 * is parked for want of room, waits in its group or its lane, or is part of a batch; it settles exactly once, whatever its batch does afterwards.
 */
export class Operation<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  op: Op;
  readonly group: Group<Op, R>;
  /** In which order it was added. */
  readonly sequence: number;
  /** Its ordering key. */
  key: unknown = undefined;
  /** The lane of its ordering key; `undefined` when it has no key, or has met no other operation of its key. */
  lane: Lane<Op, R> | undefined = undefined;
  bytes = 0;
  priority = 0;
  /** Its key among the reads that can be shared; `undefined` for an operation that is no read. */
  dedupeKey: unknown = undefined;
  mark: FlushMark | undefined = undefined;
  /** The span that was active where it was added; all of them when others have joined it. */
  span: Span | Set<Span> | undefined = undefined;
  /** When it was added, for the metrics; `undefined` while nobody measures. */
  addedAt: number | undefined = undefined;
  /** The batch it is part of, running or to be sent again. */
  batch: Batch<Op, R> | undefined = undefined;
  settled = false;
  /** Whether an earlier attempt ended with an unknown outcome. */
  uncertain = false;
  /** Whether it stands for others too, that were added later. */
  merged = false;
  /** Whether it waits for room in the batcher. */
  parked = false;
  /** Those who may leave before it settles. */
  callers: LinkedQueue<Caller<Op, R>> | undefined = undefined;
  /** What the callers that cannot leave share; as long as there is one, nothing withdraws the operation. */
  #promise: Promise<R> | undefined = undefined;
  #resolve: ((value: R) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;

  constructor(op: Op, group: Group<Op, R>, sequence: number) {
    this.op = op;
    this.group = group;
    this.sequence = sequence;
  }

  static {
    const kept = new Operation<unknown, unknown>(undefined, undefined as never, 0);
    // Anything at all.
    for (const anything of [0, 'a', {}]) {
      kept.key = kept.dedupeKey = anything;
      keep(new Operation(anything, undefined as never, 0));
    }
    kept.addedAt = 0;
    keep(kept);
  }

  /** The view of a caller that cannot leave. */
  wait(): Promise<R> {
    if (this.#promise === undefined) {
      this.#promise = new Promise<R>(capture as Executor<R>);
      this.#resolve = resolveOfNewest as (value: R) => void;
      this.#reject = rejectOfNewest;
      // They hold the promise, and it will hold its result.
      resolveOfNewest = rejectOfNewest = undefined;
    }
    return this.#promise;
  }

  /** Whether nobody waits for it any more. */
  get forsaken(): boolean {
    return this.#promise === undefined && (this.callers === undefined || this.callers.size === 0);
  }

  /** Whether it takes effect although one of its callers, that has not left yet, will leave: they share more than the result of a read. */
  get goesOn(): boolean {
    return this.merged && (this.#promise !== undefined || (this.callers?.size ?? 0) > 1);
  }

  join(caller: Caller<Op, R>): void {
    caller.operation = this;
    (this.callers ??= new LinkedQueue()).push(caller);
  }

  succeed(value: R): void {
    this.settled = true;
    this.#resolve?.(value);
    this.#letGo();
    if (this.callers !== undefined) for (const caller of this.callers) caller.resolve(value);
  }

  fail(error: unknown): void {
    this.settled = true;
    this.#reject?.(error);
    this.#letGo();
    if (this.callers !== undefined) for (const caller of this.callers) caller.reject(error);
  }

  /** A table of keys that a Map has outgrown may hold the operation until a full collection; its promise need not stay with it. */
  #letGo(): void {
    this.#promise = this.#resolve = this.#reject = undefined;
  }
}

type Executor<R> = (resolve: (value: R) => void, reject: (error: unknown) => void) => void;

// One executor for all promises: a closure for each would be a third of what a promise costs.
let resolveOfNewest: ((value: never) => void) | undefined;
let rejectOfNewest: ((error: unknown) => void) | undefined;

function capture(resolve: (value: never) => void, reject: (error: unknown) => void): void {
  resolveOfNewest = resolve;
  rejectOfNewest = reject;
}
