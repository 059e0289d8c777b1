/** An invalidation that was asked for: the keys it concerns, and how new the source was then. */
export interface Invalidation {
  readonly by: number;
  readonly what: string;
  readonly keys: readonly number[];
  /** The source's version of each of the keys when the invalidation was invoked. */
  readonly versions: readonly number[];
}

/** Stands for all invalidations of one process that had succeeded when it was sent, in the order of the bus. */
export interface Marker {
  readonly by: number;
  readonly acknowledged: Int32Array;
}

/** A read that was asked for. */
export interface Read {
  readonly by: number;
  readonly key: number;
  /** The oldest version it may return. */
  readonly floor: number;
}

const KEPT_EVENTS = 4_000;

/**
 * Watches a history of reads, writes of the source and invalidations by several processes, event by event, and names every read that was outdated. The order of the calls is the clock.
 *
 * The rule: a read that starts after an invalidation of its key counts for the reader must not return a version older than the source had when the invalidation was invoked. It counts
 *
 * - for the process that asked for it: as soon as its call has settled. A change that the store or the bus did not take is no exception, since the process promises to behave as if they had;
 * - for another process: when its call had succeeded, and a marker that was sent after that, over the same connection, has arrived there, or a replay after quiescence.
 *
 * A key is in doubt while a `set` that has failed may still arrive, at any time: versions are given out by the source, so that the store cannot tell the older of two sets. Reads of it are not judged before
 * it is known where the `set` went.
 */
export class HistoryChecker {
  readonly violations: string[] = [];
  readonly #versions: Int32Array;
  /** For each process: the oldest version of each key it may return. */
  readonly #floors: readonly Int32Array[];
  /** For each process: of each key, the newest version that an invalidation of its own has succeeded with. */
  readonly #acknowledged: readonly Int32Array[];
  readonly #doubtful = new Set<number>();
  readonly #events: (readonly [at: number, text: string, keys: readonly number[] | undefined])[] = [];
  #clock = 0;

  constructor(processes: number, keys: number) {
    const zeros = (): Int32Array => new Int32Array(keys);
    this.#versions = zeros();
    this.#floors = Array.from({ length: processes }, zeros);
    this.#acknowledged = Array.from({ length: processes }, zeros);
  }

  get keys(): number {
    return this.#versions.length;
  }

  /** What the source has. */
  versionOf(key: number): number {
    return this.#versions[key]!;
  }

  /** The source is written. @returns its new version */
  write(key: number): number {
    return ++this.#versions[key]!;
  }

  invalidate(by: number, what: string, keys: readonly number[]): Invalidation {
    const versions = keys.map((key) => this.versionOf(key));
    this.note(`${by} ${what}, at versions ${versions.slice(0, 5).join(' ')}`, keys);
    return { by, what, keys, versions };
  }

  /** The call has succeeded. */
  succeeded(invalidation: Invalidation): void {
    this.#raise(this.#acknowledged[invalidation.by]!, invalidation);
    this.#settled(invalidation, 'done');
  }

  /** The call was rejected: the store or the bus may not have been told. */
  failed(invalidation: Invalidation, reason: string): void {
    this.#settled(invalidation, `failed (${reason})`);
  }

  /** A `set` of the key may still arrive. */
  doubt(key: number): void {
    this.#doubtful.add(key);
  }

  isDoubtful(key: number): boolean {
    return this.#doubtful.has(key);
  }

  mark(by: number): Marker {
    return { by, acknowledged: this.#acknowledged[by]!.slice() };
  }

  arrived(at: number, { by, acknowledged }: Marker): void {
    this.note(`${at} sees a marker of ${by}`);
    const floors = this.#floors[at]!;
    for (const [key, version] of acknowledged.entries()) if (version > floors[key]!) floors[key] = version;
  }

  /** Nothing is under way, and every change has been made known: all processes must be up to date. */
  quiesced(): void {
    this.note('quiescence');
    this.#doubtful.clear();
    for (const floors of this.#floors) floors.set(this.#versions);
  }

  startRead(by: number, key: number): Read {
    return { by, key, floor: this.#floors[by]![key]! };
  }

  /** @param version what was returned; `undefined` for a miss, which is never wrong */
  endRead({ by, key, floor }: Read, version: number | undefined, what = 'read'): void {
    if (version === undefined || this.#doubtful.has(key)) return;
    if (version > this.versionOf(key)) {
      this.violate(`${what} by ${by} of key ${key} returned ${version}, which is not written yet`, key);
    }
    if (version < floor) this.violate(`${what} by ${by} of key ${key} returned ${version}, older than ${floor}`, key);
  }

  violate(text: string, key?: number): void {
    const before = this.#events.filter(([, , keys]) => key === undefined || keys?.includes(key) !== false).slice(-30);
    const history = before.map(([at, event]) => `  ${at} ${event}`).join('\n');
    if (this.violations.length < 20) this.violations.push(`${text} at ${this.#clock}\n${history}`);
    this.note(`VIOLATION: ${text}`, key === undefined ? undefined : [key]);
  }

  /** Remembers an event for a while, for whoever must explain a violation. @param keys those it concerns; absent: all */
  note(text: string, keys?: readonly number[]): void {
    this.#events.push([this.#clock++, text, keys]);
    if (this.#events.length > 2 * KEPT_EVENTS) this.#events.splice(0, KEPT_EVENTS);
  }

  #settled(invalidation: Invalidation, how: string): void {
    this.note(`${invalidation.by} ${invalidation.what}: ${how}`, invalidation.keys);
    this.#raise(this.#floors[invalidation.by]!, invalidation);
  }

  #raise(floors: Int32Array, { keys, versions }: Invalidation): void {
    for (const [index, key] of keys.entries()) floors[key] = Math.max(floors[key]!, versions[index]!);
  }
}
