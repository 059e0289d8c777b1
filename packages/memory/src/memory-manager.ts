import {
  ClosedError,
  type Clock,
  type Closeable,
  type StatsSource,
  type Timer,
  checkFunction,
  checkName,
  checkOptions,
  checkRange,
  startTimer,
} from '@perf/core';
import { CLOSED, NameTakenError, ReliefReentryError, UnknownPoolError } from './errors.ts';
import { ErrorReporter, type OnCallbackError } from './error-reporter.ts';
import { findGc } from './force-gc.ts';
import { type ForcedGc, mayForceGc } from './gc-budget.ts';
import {
  type CheckedMemoryManagerOptions,
  type CheckedRelieveOptions,
  type MemoryManagerOptions,
  type RelieveOptions,
  checkMemoryManagerOptions,
  checkRelieveOptions,
} from './memory-manager-options.ts';
import type { MemoryMonitor, MemoryMonitorStats } from './memory-monitor.ts';
import { meter } from './meter.ts';
import { ObjectPool, type ObjectPoolStats } from './object-pool.ts';
import type { ObjectPoolOptions } from './object-pool-options.ts';
import { type ReliefLevel, type ReliefReport, type Reliever, runRelief } from './relief.ts';
import { WeakValueMap, type WeakValueMapStats } from './weak-value-map.ts';

/** What {@link MemoryManager.stats} reports. */
export interface MemoryManagerStats {
  /** By name. */
  readonly pools: Readonly<Record<string, ObjectPoolStats>>;
  readonly weak: WeakValueMapStats;
  readonly monitor: MemoryMonitorStats;
  /** How often memory was relieved, by hand or under pressure. */
  readonly reliefs: number;
  /** The report of the last time. */
  readonly lastRelief: ReliefReport | undefined;
  /** Errors of relievers. */
  readonly errors: number;
}

/** Options of {@link MemoryManager.addReliever}. */
export interface AddRelieverOptions {
  /** Relievers with the higher number run first; pools have 0. @default 0 */
  readonly priority?: number | undefined;
}

interface Entry {
  readonly relieve: Reliever;
  readonly priority: number;
}

const reliefs = /* @__PURE__ */ meter.counter('perf.memory.reliefs', {
  unit: '{relief}',
  description: 'How often memory was relieved',
});

/**
 * The memory of a service in one place: named pools, shared objects held weakly, a monitor, and what to let go of under pressure.
 *
 * At `elevated` pressure the pools give up what they did not need lately, at `critical` all that is idle; your own relievers are told the
 * level too. Works from construction on; its timers never keep the process alive.
 */
export class MemoryManager implements Closeable, StatsSource<MemoryManagerStats> {
  /** The name given in the options, `'default'` otherwise. */
  readonly name: string;
  /** Says how close the process is to its limits. */
  readonly monitor: MemoryMonitor;
  /** Objects to find by name as long as somebody uses them. */
  readonly weak: WeakValueMap<string, object> = new WeakValueMap();
  readonly #options: CheckedMemoryManagerOptions;
  readonly #onError: OnCallbackError | undefined;
  readonly #clock: Clock;
  readonly #errors: ErrorReporter;
  readonly #pools = new Map<string, ObjectPool<object>>();
  readonly #relievers = new Map<string, Entry>();
  readonly #stopListening: () => void;
  #gc: (() => void) | undefined;
  #lastGc: ForcedGc | undefined;
  #relieving = false;
  #reliefs = 0;
  #lastRelief: ReliefReport | undefined;
  #trimTimer: Timer | undefined;
  #closing: Promise<void> | undefined;

  /** @throws TypeError | RangeError when an option is unfit */
  constructor(options: MemoryManagerOptions = {}) {
    this.#options = checkMemoryManagerOptions(options);
    this.#onError = options.onError;
    this.#clock = this.#options.clock;
    this.name = this.#options.name;
    this.monitor = this.#options.monitor;
    this.#errors = new ErrorReporter(this.#title(), options.onError);
    this.#stopListening = this.monitor.onPressure(({ level }) => this.#relieveUnderPressure(level));
    if (this.#options.ownsMonitor) this.monitor.start();
    this.#scheduleTrim();
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Makes a pool that the manager trims, empties under pressure, and closes.
   * @throws NameTakenError `PERF_MEMORY_NAME_TAKEN`, unless the pool of that name is closed
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   */
  createPool<T extends object>(
    name: string,
    factory: () => T,
    options: Omit<ObjectPoolOptions<T>, 'name'> = {},
  ): ObjectPool<T> {
    this.#claim(name);
    const pool = new ObjectPool<T>(factory, { onError: this.#onError, ...options, name });
    this.#pools.set(name, pool as unknown as ObjectPool<object>);
    return pool;
  }

  /**
   * The pool made by `createPool` under this name. Its type is yours to know.
   * @throws UnknownPoolError `PERF_MEMORY_UNKNOWN_POOL`
   */
  pool<T extends object>(name: string): ObjectPool<T> {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw new UnknownPoolError(name);
    return pool as unknown as ObjectPool<T>;
  }

  /**
   * Adds something to let go of under pressure, a cache or a `BufferPool` say: `addReliever('buffers', () => buffers.clear())`.
   * @returns a function that removes it; idempotent
   * @throws NameTakenError `PERF_MEMORY_NAME_TAKEN`
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   */
  addReliever(name: string, relieve: Reliever, options: AddRelieverOptions = {}): () => void {
    this.#claim(name);
    checkFunction('relieve', relieve);
    checkOptions('addReliever', options, ['priority']);
    const { priority = 0 } = options;
    checkRange('priority', priority, { min: -Number.MAX_VALUE, max: Number.MAX_VALUE });
    const entry: Entry = { relieve, priority };
    this.#relievers.set(name, entry);
    return () => {
      if (this.#relievers.get(name) === entry) this.#relievers.delete(name);
    };
  }

  /**
   * Has pools and relievers let go of memory now, and reports what each one freed, measured before and after it.
   * Ask for `{ gc: 'each' }` to see more than the garbage that is collected anyway; it costs a full collection per reliever.
   *
   * A reliever that throws does not stop the others.
   * @throws ClosedError `PERF_MEMORY_CLOSED`
   * @throws ReliefReentryError `PERF_MEMORY_RELIEF_REENTRY` when called by a reliever
   */
  relieve(options: RelieveOptions = {}): ReliefReport {
    return this.#relieve(checkRelieveOptions(options));
  }

  /** A snapshot of everything. */
  stats(): MemoryManagerStats {
    return {
      pools: Object.fromEntries([...this.#pools].map(([name, pool]) => [name, pool.stats()])),
      weak: this.weak.stats(),
      monitor: this.monitor.stats(),
      reliefs: this.#reliefs,
      lastRelief: this.#lastRelief,
      errors: this.#errors.count,
    };
  }

  /** Closes the pools and the monitor, unless that was given, and forgets the rest. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stopListening();
    this.#trimTimer?.cancel();
    this.#relievers.clear();
    this.weak.clear();
    const parts = [...this.#pools.values()].map((pool) => pool.close());
    if (this.#options.ownsMonitor) parts.push(this.monitor.close());
    await Promise.all(parts);
  }

  #title(): string {
    return `MemoryManager ${JSON.stringify(this.name)}`;
  }

  #refuseIfClosed(): void {
    if (this.closed) throw new ClosedError(this.#title(), CLOSED);
  }

  #claim(name: string): void {
    this.#refuseIfClosed();
    checkName('name', name);
    if (this.#relievers.has(name) || this.#pools.get(name)?.closed === false) throw new NameTakenError(name);
  }

  #relieveUnderPressure(level: ReliefLevel): void {
    if (this.closed) return;
    const gc = this.#options.gc === 'once' && mayForceGc(this.#lastGc, this.#clock.now()) ? 'once' : 'never';
    this.#relieve({ level, gc });
  }

  #relieve({ level, gc }: CheckedRelieveOptions): ReliefReport {
    this.#refuseIfClosed();
    if (this.#relieving) throw new ReliefReentryError();
    const collect = gc === 'never' ? undefined : (this.#gc ??= findGc());
    this.#relieving = true;
    try {
      const report = runRelief(this.#inOrder(), {
        level,
        gc: collect === undefined ? 'never' : gc,
        collect: collect && (() => this.#collect(collect)),
        clock: this.#clock,
        errors: this.#errors,
      });
      this.#reliefs++;
      this.#lastRelief = report;
      reliefs.add(1, { 'perf.memory.relief.level': level, 'perf.memory.manager.name': this.name });
      return report;
    } finally {
      this.#relieving = false;
    }
  }

  #collect(gc: () => void): void {
    const start = this.#clock.now();
    gc();
    const endedAt = this.#clock.now();
    this.#lastGc = { endedAt, took: endedAt - start };
  }

  *#inOrder(): Generator<[name: string, Reliever]> {
    const pools = [...this.#pools].map(([name, pool]): [string, Entry] => [
      name,
      { relieve: emptying(pool), priority: 0 },
    ]);
    const all = [...this.#relievers, ...pools].sort(([, a], [, b]) => b.priority - a.priority);
    for (const [name, { relieve }] of all) {
      // One that was removed by another before its turn is left out.
      if (this.#relievers.has(name) || this.#pools.has(name)) yield [name, relieve];
    }
  }

  #scheduleTrim(): void {
    this.#trimTimer = startTimer(
      () => {
        for (const [name, pool] of this.#pools) {
          if (pool.closed) this.#pools.delete(name);
          else pool.trim();
        }
        if (!this.closed) this.#scheduleTrim();
      },
      this.#options.trimInterval,
      { unref: true },
    );
  }
}

function emptying(pool: ObjectPool<object>): Reliever {
  return (level) => (level === 'critical' ? pool.clear() : pool.trim());
}
