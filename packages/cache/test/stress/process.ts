import { Redis } from 'ioredis';
import { TieredCache, type TieredCacheOptions } from '../../src/index.ts';
import { type RedisBus, redisBus, redisStore } from '../../src/redis.ts';
import type { HistoryChecker, Marker } from './history-checker.ts';
import { pause, type Row } from './source.ts';

/** The namespace of markers, which no cache listens to. */
const MARKERS = 'stress-markers';

/** Reconnects fast; each process has its own way with commands that find no connection. */
const retryStrategy = (): number => 20;
const CLIENTS = [
  { retryStrategy },
  { retryStrategy, maxRetriesPerRequest: 1 },
  { retryStrategy, enableOfflineQueue: false },
];

/** One of several processes that share a Redis: a cache with connections of its own. */
export class StressProcess {
  readonly index: number;
  readonly cache: TieredCache<string, Row>;
  readonly client: Redis;
  readonly #bus: RedisBus;
  readonly #checker: HistoryChecker;
  readonly #markers = new Map<string, Marker>();
  #marked = 0;
  #connected = false;

  constructor(
    index: number,
    url: string,
    { checker, options }: { readonly checker: HistoryChecker; readonly options: TieredCacheOptions<string, Row> },
  ) {
    this.index = index;
    this.#checker = checker;
    this.client = new Redis(url, CLIENTS[index % CLIENTS.length]!);
    this.client.on('error', () => {});
    this.#bus = redisBus(this.client);
    this.cache = new TieredCache<string, Row>({ ...options, store: redisStore(this.client), bus: this.#bus });
    // After the cache's own subscription: what a marker follows has been heard when it comes.
    this.#bus.subscribe({
      onMessage: (message) => this.#hear(message.namespace, message.keys?.[0]),
      onConnected: () => (this.#connected = true),
      onDisconnected: () => (this.#connected = false),
    });
  }

  /** Sends a marker behind everything that was published so far; the others find it in `register`. */
  async mark(others: readonly StressProcess[]): Promise<string | undefined> {
    const id = `${this.index}:${this.#marked++}`;
    const marker = this.#checker.mark(this.index);
    for (const other of others) other.#markers.set(id, marker);
    try {
      await this.#bus.publish({ source: `stress-${this.index}`, namespace: MARKERS, keys: [id] });
      return id;
    } catch {
      for (const other of others) other.#markers.delete(id);
      return undefined;
    }
  }

  hasSeen(id: string): boolean {
    return !this.#markers.has(id);
  }

  /** Waits until the connections work, and everything that was sent on them has been carried out. */
  async ready(): Promise<void> {
    for (;;) {
      try {
        await this.client.ping();
        if (this.#connected) return;
      } catch {
        // Not yet.
      }
      await pause(10);
    }
  }

  async close(): Promise<void> {
    await this.cache.close();
    await this.disconnect();
  }

  async disconnect(): Promise<void> {
    await this.#bus.close();
    this.client.disconnect();
  }

  #hear(namespace: string, id: string | undefined): void {
    if (namespace !== MARKERS || id === undefined) return;
    const marker = this.#markers.get(id);
    if (marker === undefined) return;
    // Older ones of the same process will not come any more: they are counted in this one.
    for (const [other, { by }] of this.#markers) {
      if (by === marker.by) this.#markers.delete(other);
      if (other === id) break;
    }
    this.#checker.arrived(this.index, marker);
  }
}
