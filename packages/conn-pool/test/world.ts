import { afterEach, beforeEach, expect, vi } from 'vitest';
import { ConnectionPool, type ConnectionPoolOptions, type Lease } from '../src/index.ts';
import { type FakeConnection, FakePeer } from './fake-peer.ts';

/** What has become of a promise by now. */
export interface Outcome<T> {
  value?: T;
  error?: unknown;
  settled: boolean;
}

export function watch<T>(promise: Promise<T>): Outcome<T> {
  const outcome: Outcome<T> = { settled: false };
  promise.then(
    (value) => Object.assign(outcome, { value, settled: true }),
    (error: unknown) => Object.assign(outcome, { error, settled: true }),
  );
  return outcome;
}

/** Lets fake time pass. */
export const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** `count` leases. */
export const take = (pool: ConnectionPool<FakeConnection>, count: number): Promise<Lease<FakeConnection>[]> =>
  Promise.all(Array.from({ length: count }, () => pool.acquire()));

/** Fake time, and a peer of pools that must be gone without a trace after each test of the file that calls this. */
export class World {
  peer: FakePeer = new FakePeer();
  #pools: ConnectionPool<FakeConnection>[] = [];
  readonly #unhandled: unknown[] = [];

  constructor() {
    const onUnhandled = (error: unknown): void => void this.#unhandled.push(error);
    beforeEach(() => {
      vi.useFakeTimers();
      process.on('unhandledRejection', onUnhandled);
      this.peer = new FakePeer();
      this.#pools = [];
      this.#unhandled.length = 0;
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      this.peer.down = undefined;
      await Promise.all([...this.#pools.map((pool) => pool.close({ force: true })), pass(60_000)]);
      const timers = vi.getTimerCount();
      vi.useRealTimers();
      // Node tells of unhandled rejections when the microtasks are done.
      await new Promise((resolve) => setImmediate(resolve));
      process.off('unhandledRejection', onUnhandled);
      expect(timers).toBe(0);
      expect(this.#unhandled).toEqual([]);
      for (const pool of this.#pools) expect(pool.stats()).toMatchObject({ size: 0, waiting: 0 });
    });
  }

  makePool(options: Partial<ConnectionPoolOptions<FakeConnection>> = {}): ConnectionPool<FakeConnection> {
    const pool = new ConnectionPool({ ...this.peer.callbacks, max: 1, ...options });
    this.#pools.push(pool);
    return pool;
  }
}
