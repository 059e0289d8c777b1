import type { CacheKey } from './cache-key.ts';
import { LoadManyError } from './errors.ts';
import type { Flight } from './flight.ts';
import type { InFlight } from './in-flight.ts';
import type { Landing, LoadRequest } from './load-group.ts';
import type { Loads } from './loads.ts';
import type { TieredCounts } from './tiered-stats.ts';

export interface ManyLoadsOptions<K extends CacheKey, V> {
  readonly loads: Loads<K, V>;
  readonly inFlight: InFlight<K, V>;
  readonly counts: TieredCounts;
}

/** One call that loads many keys: joins the loads that are under way, and starts one for all that is left. */
export class ManyLoads<K extends CacheKey, V> {
  readonly values: Map<K, V> = new Map();
  /** Why keys failed: this time, or before, as memory remembers. */
  readonly errors: Map<K, unknown> = new Map();
  readonly #options: ManyLoadsOptions<K, V>;
  readonly #request: LoadRequest<K, V>;
  readonly #signal: AbortSignal | undefined;

  constructor(
    options: ManyLoadsOptions<K, V>,
    call: { readonly request: LoadRequest<K, V>; readonly signal: AbortSignal | undefined },
  ) {
    this.#options = options;
    this.#request = call.request;
    this.#signal = call.signal;
  }

  /** Rejects with the reason when all keys failed for one, with LoadManyError when some failed, with `signal.reason`. */
  async run(keys: readonly K[]): Promise<void> {
    let missing = keys;
    while (missing.length > 0) missing = await this.#round(missing);
    if (this.errors.size === 0) return;
    const [reason, ...others] = new Set(this.errors.values());
    if (this.values.size === 0 && others.length === 0) throw reason;
    throw new LoadManyError(this.values, this.errors);
  }

  /** @returns the keys that a load of others had no value for */
  async #round(keys: readonly K[]): Promise<K[]> {
    const { loads, inFlight, counts } = this.#options;
    const joined: K[] = [];
    const absent: K[] = [];
    const flights: Flight<Landing<V>>[] = [];
    for (const key of keys) {
      const flight = inFlight.flightOf(key);
      (flight === undefined ? absent : joined).push(key);
      if (flight !== undefined) flights.push(flight);
    }
    counts.coalesced += joined.length;
    // Not as arguments of `push`: there may be more of them than the stack holds.
    if (absent.length > 0) for (const flight of loads.start(absent, this.#request)) flights.push(flight);
    const outcomes = await Promise.allSettled(flights.map((flight) => flight.join(this.#signal)));
    this.#signal?.throwIfAborted();
    const missed: K[] = [];
    for (const [index, key] of [...joined, ...absent].entries()) {
      const outcome = outcomes[index] as PromiseSettledResult<Landing<V>>;
      if (outcome.status === 'rejected') this.errors.set(key, outcome.reason);
      else if (outcome.value.found) this.values.set(key, outcome.value.value);
      else if (index < joined.length) missed.push(key);
    }
    return missed;
  }
}
