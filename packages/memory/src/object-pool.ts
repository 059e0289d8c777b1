import { ClosedError, type Closeable, type StatsSource, checkCount, checkFunction, isPromiseLike } from '@perf/core';
import { CLOSED, DoubleReleaseError, FactoryError, ForeignReleaseError } from './errors.ts';
import { ErrorReporter } from './error-reporter.ts';
import { IdleStack } from './idle-stack.ts';
import { BUSY, GONE, IDLE, LENT, LeaseMark } from './lease-mark.ts';
import {
  type CheckedObjectPoolOptions,
  type ObjectPoolOptions,
  checkObjectPoolOptions,
} from './object-pool-options.ts';
import { observePool } from './pool-metrics.ts';
import { checkSyncFunction, refusePromise } from './sync-callback.ts';
import { withLease } from './with-lease.ts';

/** What {@link ObjectPool.stats} reports. */
export interface ObjectPoolStats {
  /** Objects kept for later. */
  readonly idle: number;
  /** Objects out: acquired and not released, those that were lost included. */
  readonly lent: number;
  /** The most idle objects the pool keeps. */
  readonly maxSize: number;
  /** How often the factory made an object. */
  readonly created: number;
  /** How often `acquire` was served by an idle object. */
  readonly reused: number;
  /** Objects let go of: the pool was full, trimmed, cleared or closed, or they failed `reset` or `validate`. */
  readonly discarded: number;
  /** Errors of `reset`, `validate` and `dispose`. */
  readonly errors: number;
}

/**
 * Keeps objects that are costly to make, and lends them one borrower at a time.
 *
 * For things that own memory or are slow to build: typed arrays, large arrays, parsers, native handles. Pooling a plain small object
 * is slower than making one, and so is resetting a `Map` by `clear()`: measure before you pool.
 *
 * `acquire` and `release` are O(1). The pool bounds what it keeps, not what it lends: there is always an object, made by the
 * factory where none is idle.
 */
export class ObjectPool<T extends object> implements Closeable, StatsSource<ObjectPoolStats> {
  /** The name given in the options. */
  readonly name: string | undefined;
  readonly #factory: () => T;
  readonly #options: CheckedObjectPoolOptions<T>;
  readonly #errors: ErrorReporter;
  readonly #idle = new IdleStack<T>();
  readonly #unobserve: (() => void) | undefined;
  #closed = false;
  #lent = 0;
  #created = 0;
  #reused = 0;
  #discarded = 0;

  /**
   * @param factory makes one object: a new one at every call, synchronously
   * @throws TypeError | RangeError when an option is unfit, a callback an `async` function
   */
  constructor(factory: () => T, options: ObjectPoolOptions<T> = {}) {
    this.#factory = checkSyncFunction('factory', factory);
    this.#options = checkObjectPoolOptions(options);
    this.name = options.name;
    this.#errors = new ErrorReporter(this.#title(), options.onError);
    this.#unobserve = this.name === undefined ? undefined : observePool(this, this.name);
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Lends an object: the idle one used last that passes `validate`, or a new one.
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   * @throws FactoryError `PERF_MEMORY_FACTORY` when the factory returns no object, a promise, or one that is in a pool
   * @throws whatever the factory throws; the pool is as before then
   */
  acquire(): T {
    this.#refuseIfClosed();
    for (let object = this.#idle.pop(); object !== undefined; object = this.#idle.pop()) {
      if (this.#isValid(object)) {
        this.#reused++;
        return this.#lend(object);
      }
      this.#discard(object);
    }
    return this.#lend(this.#create());
  }

  /**
   * Takes an object back: resets and keeps it, or disposes of it when the pool is full or closed. What `reset` throws goes to `onError`, not
   * to the caller, who is often in a `finally`.
   *
   * A second release of an object that somebody else has acquired in between cannot be told from theirs: use {@link ObjectPool.use}
   * where a reference might outlive its turn.
   * @throws DoubleReleaseError `PERF_MEMORY_DOUBLE_RELEASE` when the object is not out
   * @throws ForeignReleaseError `PERF_MEMORY_FOREIGN_RELEASE` when it never came from this pool
   */
  release(object: T): void {
    const mark = LeaseMark.of(object, this);
    if (mark === undefined) throw new ForeignReleaseError(this.name);
    if (LeaseMark.state(mark) !== LENT) throw new DoubleReleaseError(this.name);
    this.#lent--;
    if (this.#hasRoom() && this.#isClean(object) && this.#hasRoom()) {
      // Asked twice: `reset` may have closed the pool, or released into it.
      LeaseMark.move(object, IDLE);
      this.#idle.push(object);
    } else {
      this.#discard(object);
    }
  }

  /**
   * Acquires, runs `work`, and releases when it has returned, thrown, or its promise has settled. Returns what `work` returns.
   * @throws DoubleReleaseError when `work` succeeds but has released the object itself
   */
  use<R>(work: (object: T) => R): R {
    checkFunction('work', work);
    const object = this.acquire();
    const turn = LeaseMark.tag(object);
    return withLease(
      () => work(object),
      (failed) => this.#end(object, turn, failed),
    );
  }

  /**
   * Makes objects until `count` are idle, so that the first borrowers need not wait. Returns how many it made.
   * @throws RangeError when `count` is above `maxSize`
   * @throws whatever the factory throws; the objects made so far are kept
   */
  prefill(count: number): number {
    checkCount('count', count);
    const { maxSize } = this.#options;
    if (count > maxSize) throw new RangeError(`\`count\` must be at most \`maxSize\` (${maxSize}), got ${count}`);
    this.#refuseIfClosed();
    let made = 0;
    for (let missing = count - this.#idle.size; missing > 0 && !this.#closed; missing--) {
      const object = this.#create();
      made++;
      if (this.#hasRoom()) {
        LeaseMark.move(object, IDLE);
        this.#idle.push(object);
      } else {
        this.#discard(object);
      }
    }
    return made;
  }

  /** Disposes of the idle objects nobody needed since the last `trim()`; returns how many. Call it every minute or so. */
  trim(): number {
    return this.#discardAll(this.#idle.takeSurplus());
  }

  /** Disposes of every idle object; returns how many. Those that are out may come back. */
  clear(): number {
    return this.#discardAll(this.#idle.takeAll());
  }

  /** A snapshot of the counters. */
  stats(): ObjectPoolStats {
    return {
      idle: this.#idle.size,
      lent: this.#lent,
      maxSize: this.#options.maxSize,
      created: this.#created,
      reused: this.#reused,
      discarded: this.#discarded,
      errors: this.#errors.count,
    };
  }

  /** Disposes of the idle objects, and from now on of each one that comes back. Does not wait for those. */
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
    return this.name === undefined ? 'ObjectPool' : `ObjectPool ${JSON.stringify(this.name)}`;
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new ClosedError(this.#title(), CLOSED);
  }

  #hasRoom(): boolean {
    return !this.#closed && this.#idle.size < this.#options.maxSize;
  }

  #create(): T {
    const object = this.#factory();
    if ((typeof object !== 'object' && typeof object !== 'function') || object === null) {
      throw new FactoryError(this.name, `returned ${object === null ? 'null' : typeof object}, no object`);
    }
    if (isPromiseLike(object)) {
      object.then(undefined, () => {});
      throw new FactoryError(this.name, 'returned a promise');
    }
    if (!LeaseMark.put(object, this)) throw new FactoryError(this.name, 'returned an object that is in a pool already');
    this.#created++;
    return object;
  }

  #lend(object: T): T {
    LeaseMark.move(object, LENT);
    LeaseMark.setTag(object, LeaseMark.tag(object) + 1);
    this.#lent++;
    return object;
  }

  /** After a failure its error matters, not that `work` had released the object too. */
  #end(object: T, turn: number, failed: boolean): void {
    const mark = LeaseMark.of(object, this);
    const held = mark !== undefined && LeaseMark.state(mark) === LENT && LeaseMark.tag(mark) === turn;
    if (held) this.release(object);
    else if (!failed) throw new DoubleReleaseError(this.name);
  }

  #isClean(object: T): boolean {
    const { reset } = this.#options;
    if (reset === undefined) return true;
    LeaseMark.move(object, BUSY);
    try {
      refusePromise('reset', reset(object) as unknown);
      return true;
    } catch (error) {
      this.#errors.report('reset', error);
      return false;
    }
  }

  #isValid(object: T): boolean {
    const { validate } = this.#options;
    if (validate === undefined) return true;
    LeaseMark.move(object, BUSY);
    try {
      const answer = validate(object);
      refusePromise('validate', answer);
      return answer === true;
    } catch (error) {
      this.#errors.report('validate', error);
      return false;
    }
  }

  #discard(object: T): void {
    LeaseMark.move(object, GONE);
    this.#discarded++;
    try {
      refusePromise('dispose', this.#options.dispose?.(object) as unknown);
    } catch (error) {
      this.#errors.report('dispose', error);
    }
  }

  #discardAll(objects: readonly T[]): number {
    // All are let go of before the first callback runs: `dispose` may release one of the others, which is an error then.
    for (const object of objects) LeaseMark.move(object, BUSY);
    for (const object of objects) this.#discard(object);
    return objects.length;
  }
}
