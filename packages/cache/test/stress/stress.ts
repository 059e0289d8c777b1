import type { RedisServer } from '@perf/testkit';
import { Chaos } from './chaos.ts';
import { HistoryChecker } from './history-checker.ts';
import { Random } from './random.ts';
import { StressProcess } from './process.ts';
import { InjectedFailure, Source, pause, turn } from './source.ts';
import { Worker, type World, tagOf } from './worker.ts';

export interface StressOptions {
  readonly seed: number;
  /** How many operations, over all processes. */
  readonly operations: number;
}

const PROCESSES = 3;
const WORKERS = 16;
const KEYS = 240;
const QUIET_EVERY = 40_000;
/** A memory of one process is too small for all keys. */
const SIZES = [1_000, 160, 1_000];
const TTL = 1_500;
const STALE_FOR = 500;
const STORE_TIMEOUT = 250;
const HANG = 600;
/** What may happen to anyone on a machine that is short of time. */
const SLOW: ReadonlySet<unknown> = new Set(['PERF_CACHE_LOAD_TIMEOUT', 'PERF_CACHE_STORE', 'PERF_CACHE_BUS']);
/** A value is written to the store some time after it was loaded, at most as long as the store may be away. */
const WRITTEN_LATE = 5_000;

/** Several caches on one Redis under operations at random, while Redis fails in all of its ways. What they return is checked against {@link HistoryChecker}. */
export class Stress {
  readonly checker = new HistoryChecker(PROCESSES, KEYS);
  /** Bytes of the heap after a collection, at each quiescence. */
  readonly heap: { readonly operations: number; readonly bytes: number }[] = [];
  readonly chaos: Chaos;
  readonly source: Source;
  readonly #options: StressOptions;
  readonly #processes: readonly StressProcess[];
  readonly #workers: readonly Worker[];
  readonly #world: World;
  #done = 0;
  #gate: PromiseWithResolvers<void> | undefined;
  #active = 0;
  #over = false;

  constructor(server: RedisServer, options: StressOptions) {
    this.#options = options;
    const { checker } = this;
    const random = (stream: number): Random => new Random(options.seed * 1_000 + stream);
    this.source = new Source(checker, random(0));
    this.chaos = new Chaos(server, { checker, random: random(1) });
    const shared = { ttl: TTL, staleFor: STALE_FOR, loadTimeout: 300, storeTimeout: STORE_TIMEOUT };
    this.#processes = SIZES.map(
      (maxSize, index) =>
        new StressProcess(index, server.url, { checker, options: { ...shared, memory: { maxSize } } }),
    );
    const world: World = {
      checker,
      source: this.source,
      processes: this.#processes,
      setting: new Set(),
      unacknowledged: this.#processes.map(() => new Set<number>()),
      freshFor: TTL,
      oldest: TTL + STALE_FOR + WRITTEN_LATE,
    };
    this.#world = world;
    this.#workers = this.#processes.flatMap((process) =>
      Array.from(
        { length: WORKERS },
        (_, index) => new Worker(world, { process, random: random(100 * (process.index + 1) + index) }),
      ),
    );
  }

  get operations(): number {
    return this.#done;
  }

  async run(): Promise<void> {
    const working = Promise.all(this.#workers.map((worker) => this.#work(worker)));
    try {
      for (const process of this.#processes) await process.ready();
      await this.#strikeAndQuiesce();
      this.#over = true;
      // One that hangs is a violation already.
      await Promise.race([working, pause(10_000)]);
      if (this.checker.violations.length === 0) await this.#closeUnderway();
    } finally {
      this.#over = true;
      this.#gate?.resolve();
      this.chaos.close();
      for (const process of this.#processes) await process.disconnect();
    }
  }

  async #strikeAndQuiesce(): Promise<void> {
    const random = new Random(this.#options.seed);
    let quietAt = QUIET_EVERY;
    while (this.#done < this.#options.operations && this.checker.violations.length === 0) {
      await pause(20 + random.below(100));
      if (this.#done < quietAt) await this.chaos.strike(HANG);
      else {
        quietAt = this.#done + QUIET_EVERY;
        await this.#quiesce();
      }
    }
    await this.#quiesce();
  }

  async #work(worker: Worker): Promise<void> {
    for (;;) {
      await this.#gate?.promise;
      if (this.#over) return;
      this.#active++;
      const done = await worker.step();
      this.#done += done;
      this.#active--;
    }
  }

  /** Lets everything come to rest, mends what is left to mend, and then asks every process for every key. */
  async #quiesce(): Promise<void> {
    this.#gate = Promise.withResolvers<void>();
    if (await this.#idle()) {
      for (const process of this.#processes) await process.ready();
      await this.#mend();
      await this.#drainBus();
      this.checker.quiesced();
      await Promise.all(this.#processes.map((process) => this.#audit(process)));
      this.#weigh();
    }
    this.#gate.resolve();
    this.#gate = undefined;
  }

  /** @returns false when an operation hangs: a violation of its own */
  async #idle(): Promise<boolean> {
    const deadline = performance.now() + 20_000;
    while (this.#active > 0) {
      if (performance.now() > deadline) {
        const steps = this.#workers.map(({ current }) => current).filter((step) => step !== undefined);
        this.checker.violate(`${this.#active} operations never end: ${steps.join(', ')}`);
        return false;
      }
      await pause(5);
    }
    return true;
  }

  /** What a user does with a change that failed: once more, until it is done. */
  async #mend(): Promise<void> {
    for (const { index, cache } of this.#processes) {
      const keys = this.#world.unacknowledged[index]!;
      for (let attempt = 0; keys.size > 0; attempt++) {
        try {
          await cache.deleteMany([...keys].map((key) => `k${key}`));
          keys.clear();
        } catch (error) {
          if (attempt === 50) return this.checker.violate(`the changes of ${index} cannot be mended: ${String(error)}`);
          await pause(20);
        }
      }
    }
  }

  /** Everything published so far has been heard. */
  async #drainBus(): Promise<void> {
    for (const process of this.#processes) {
      const others = this.#processes.filter((other) => other !== process);
      const deadline = performance.now() + 10_000;
      let id: string | undefined;
      while (id === undefined || !others.every((other) => other.hasSeen(id as string))) {
        if (performance.now() > deadline) return this.checker.violate(`the markers of ${process.index} do not arrive`);
        id ??= await process.mark(others);
        await pause(2);
      }
    }
  }

  async #audit({ index, cache }: StressProcess): Promise<void> {
    for (let key = 0; key < KEYS; key++) {
      const read = this.checker.startRead(index, key);
      const { version } = await cache.getOrLoad(`k${key}`, () => this.source.load(key), { tags: [tagOf(key)] });
      this.checker.endRead(read, version, 'read after quiescence');
    }
    // Callers have their value before it is written.
    for (let wait = 0; cache.stats().inFlight > 0 && wait < 500; wait++) await pause(10);
    // A repetition that failed while the change itself was made again is attempted once more.
    for (let wait = 0; cache.stats().unsynced > 0 && wait < 500; wait++) await pause(10);
    const { inFlight, unsynced } = cache.stats();
    if (inFlight > 0) this.checker.violate(`${index} has ${inFlight} loads in flight at rest`);
    if (unsynced > 0) this.checker.violate(`${index} has ${unsynced} changes that are never repeated`);
  }

  #weigh(): void {
    globalThis.gc?.();
    globalThis.gc?.();
    this.heap.push({ operations: this.#done, bytes: process.memoryUsage().heapUsed });
  }

  /** Closes every cache while it works: all calls settle, nothing is left. */
  async #closeUnderway(): Promise<void> {
    for (const process of this.#processes) {
      const { cache, index } = process;
      const calls = Array.from({ length: 60 }, (_, call): Promise<unknown> => {
        const key = call % KEYS;
        if (call % 3 === 0) return cache.delete(`k${key}`);
        return cache.getOrLoad(`k${key}`, () => this.source.load(key, call % 3 === 1 ? 'slow' : 'fails late'), {
          tags: [tagOf(key)],
        });
      });
      const settled = Promise.allSettled(calls);
      await turn();
      await process.close();
      for (const outcome of await settled) {
        if (outcome.status === 'fulfilled' || outcome.reason instanceof InjectedFailure) continue;
        if (SLOW.has((outcome.reason as { code?: unknown }).code)) continue;
        this.checker.violate(`a call of ${index} during close was rejected: ${String(outcome.reason)}`);
      }
      if (cache.stats().inFlight > 0) this.checker.violate(`${index} has loads in flight after close`);
    }
  }
}
