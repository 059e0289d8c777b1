import { constants } from 'node:buffer';
import { ClosedError, type Closeable, type StatsSource, checkFunction, checkRange } from '@perf/core';
import {
  type BufferPoolOptions,
  type CheckedBufferPoolOptions,
  checkBufferPoolOptions,
} from './buffer-pool-options.ts';
import { CLOSED, DoubleReleaseError, ForeignReleaseError } from './errors.ts';
import { IdleStack } from './idle-stack.ts';
import { GONE, LENT, LeaseMark } from './lease-mark.ts';
import { observePool } from './pool-metrics.ts';
import { capacityFor } from './size-class.ts';
import { withLease } from './with-lease.ts';

/** What {@link BufferPool.stats} reports. */
export interface BufferPoolStats {
  /** Buffers kept for later. */
  readonly idle: number;
  /** Bytes of the buffers kept for later. */
  readonly idleBytes: number;
  /** Buffers out: acquired and not released, those that were lost included. */
  readonly lent: number;
  /** Bytes of the buffers out, rounded up to their size class. */
  readonly lentBytes: number;
  /** The most bytes kept for later. */
  readonly maxBytes: number;
  /** How often memory was allocated, oversized requests included. */
  readonly created: number;
  /** How often `acquire` was served by kept memory. */
  readonly reused: number;
  /** Buffers let go of: oversized, transferred elsewhere, no room, trimmed, cleared or closed. */
  readonly discarded: number;
  /** Requests above `maxBufferSize`, which are allocated and never kept. */
  readonly oversized: number;
  /** Each size class in use, ascending: its capacity in bytes, and how many are idle. */
  readonly classes: readonly { readonly capacity: number; readonly idle: number }[];
}

/**
 * Lends `Buffer`s of any size from memory it keeps by size class.
 *
 * Each `acquire` answers with a new `Buffer` object of exactly the asked length over the kept memory. That makes every double release
 * detectable, even when the memory has been lent to somebody else since. It cannot stop a borrower from using a buffer after having released it.
 *
 * With `zero: 'release'` (default) a buffer is all zeros when it is acquired, and what was in it does not linger in the pool; with `'never'` it holds
 * whatever was in that memory before, like `Buffer.allocUnsafe`.
 */
export class BufferPool implements Closeable, StatsSource<BufferPoolStats> {
  /** The name given in the options. */
  readonly name: string | undefined;
  readonly #options: CheckedBufferPoolOptions;
  readonly #classes = new Map<number, IdleStack<ArrayBuffer>>();
  readonly #unobserve: (() => void) | undefined;
  #closed = false;
  #idleBytes = 0;
  #lent = 0;
  #lentBytes = 0;
  #created = 0;
  #reused = 0;
  #discarded = 0;
  #oversized = 0;

  /** @throws TypeError | RangeError when an option is unfit */
  constructor(options: BufferPoolOptions = {}) {
    this.#options = checkBufferPoolOptions(options);
    this.name = options.name;
    this.#unobserve = this.name === undefined ? undefined : observePool(this, this.name);
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Lends a buffer of `size` bytes.
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   * @throws RangeError when `size` is no integer from 0 to `buffer.constants.MAX_LENGTH`
   */
  acquire(size: number): Buffer {
    if (!Number.isInteger(checkRange('size', size, { min: 0, max: constants.MAX_LENGTH }))) {
      throw new RangeError(`\`size\` must be an integer, got ${size}`);
    }
    if (this.#closed) throw new ClosedError(this.#title(), CLOSED);
    const memory = this.#take(size);
    const buffer = Buffer.from(memory, 0, size);
    LeaseMark.put(buffer, this);
    LeaseMark.move(buffer, LENT);
    LeaseMark.setTag(buffer, memory.byteLength);
    this.#lent++;
    this.#lentBytes += memory.byteLength;
    return buffer;
  }

  /**
   * Takes a buffer back: the very object that `acquire` returned, no `subarray` of it.
   * @throws DoubleReleaseError `PERF_MEMORY_DOUBLE_RELEASE`
   * @throws ForeignReleaseError `PERF_MEMORY_FOREIGN_RELEASE` when it never came from this pool
   */
  release(buffer: Buffer): void {
    const mark = LeaseMark.of(buffer, this);
    if (mark === undefined) throw new ForeignReleaseError(this.name);
    if (LeaseMark.state(mark) !== LENT) throw new DoubleReleaseError(this.name);
    LeaseMark.move(buffer, GONE);
    const capacity = LeaseMark.tag(mark);
    this.#lent--;
    this.#lentBytes -= capacity;
    const memory = buffer.buffer as ArrayBuffer;
    // Memory that was transferred, to a worker say, is not ours any more: its length reads 0.
    const whole = memory.byteLength === capacity;
    const kept = this.#classes.get(capacity);
    if (!whole || kept === undefined || this.#closed || this.#idleBytes + capacity > this.#options.maxBytes) {
      this.#discarded++;
      return;
    }
    if (this.#options.zero === 'release') buffer.fill(0);
    this.#idleBytes += capacity;
    kept.push(memory);
  }

  /** Acquires, runs `work`, and releases when it has returned, thrown, or its promise has settled. Returns what `work` returns. */
  use<R>(size: number, work: (buffer: Buffer) => R): R {
    checkFunction('work', work);
    const buffer = this.acquire(size);
    return withLease(
      () => work(buffer),
      (failed) => this.#end(buffer, failed),
    );
  }

  /** Frees the memory nobody needed since the last `trim()`; returns how many buffers. Call it every minute or so. */
  trim(): number {
    let freed = 0;
    for (const stack of this.#classes.values()) freed += this.#drop(stack.takeSurplus());
    return freed;
  }

  /** Frees all idle memory; returns how many buffers. Those that are out may come back. */
  clear(): number {
    let freed = 0;
    for (const stack of this.#classes.values()) freed += this.#drop(stack.takeAll());
    return freed;
  }

  /** A snapshot of the counters. O(size classes in use). */
  stats(): BufferPoolStats {
    const classes = [...this.#classes].map(([capacity, stack]) => ({ capacity, idle: stack.size }));
    return {
      idle: classes.reduce((sum, each) => sum + each.idle, 0),
      idleBytes: this.#idleBytes,
      lent: this.#lent,
      lentBytes: this.#lentBytes,
      maxBytes: this.#options.maxBytes,
      created: this.#created,
      reused: this.#reused,
      discarded: this.#discarded,
      oversized: this.#oversized,
      classes: classes.sort((a, b) => a.capacity - b.capacity),
    };
  }

  /** Frees the idle memory, and from now on keeps none that comes back. Does not wait for that. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#unobserve?.();
      this.clear();
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #title(): string {
    return this.name === undefined ? 'BufferPool' : `BufferPool ${JSON.stringify(this.name)}`;
  }

  #take(size: number): ArrayBuffer {
    const { minBufferSize, maxBufferSize } = this.#options;
    if (size > maxBufferSize) {
      const memory = this.#allocate(size);
      this.#created++;
      this.#oversized++;
      return memory;
    }
    const capacity = capacityFor(Math.max(size, minBufferSize));
    let stack = this.#classes.get(capacity);
    if (stack === undefined) {
      stack = new IdleStack();
      this.#classes.set(capacity, stack);
    }
    const kept = stack.pop();
    if (kept !== undefined) {
      this.#idleBytes -= capacity;
      this.#reused++;
      return kept;
    }
    const memory = this.#allocate(capacity);
    this.#created++;
    return memory;
  }

  #allocate(bytes: number): ArrayBuffer {
    return this.#options.zero === 'never'
      ? (Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer)
      : new ArrayBuffer(bytes);
  }

  /** After a failure its error matters, not that `work` had released the buffer too. */
  #end(buffer: Buffer, failed: boolean): void {
    const mark = LeaseMark.of(buffer, this);
    if (!failed || (mark !== undefined && LeaseMark.state(mark) === LENT)) this.release(buffer);
  }

  #drop(memories: readonly ArrayBuffer[]): number {
    for (const memory of memories) this.#idleBytes -= memory.byteLength;
    this.#discarded += memories.length;
    return memories.length;
  }
}
