import { ManualClock, seededRandom } from '@perf/testkit';
import type { AdaptiveLimiter } from '../src/index.ts';

/** How the server is at the moment. */
export interface ServerShape {
  /** How many requests it works on at once; the others queue. */
  readonly workers: number;
  /** Milliseconds of work in a request, on average. */
  readonly service: number;
}

/** What came of some requests. */
export interface Outcome {
  /** Requests a second. */
  readonly throughput: number;
  /** Milliseconds a request takes on average, queueing included. */
  readonly latency: number;
}

/** A server with a first-in-first-out queue, in simulated time, and clients that always want more than they may. */
export class SimulatedServer {
  readonly clock: ManualClock = new ManualClock();
  shape: ServerShape;
  readonly #random: () => number;
  readonly #spread: number;
  /** When each worker is free. */
  #free: number[] = [];
  readonly #calls: { readonly startedAt: number; readonly endsAt: number; end(): Promise<void> }[] = [];

  /** @param options.spread how far from the average a request may be: 0.5 for half of it to one and a half */
  constructor(shape: ServerShape, options: { readonly seed: number; readonly spread: number }) {
    this.shape = shape;
    this.#random = seededRandom(options.seed);
    this.#spread = options.spread;
  }

  /** Has as many requests run as the limiter lets, until `count` have ended. */
  async serve(limiter: Pick<AdaptiveLimiter, 'run' | 'limit'>, count: number): Promise<Outcome> {
    const begin = this.clock.now();
    let total = 0;
    for (let ended = 0; ended < count; ended++) {
      while (this.#calls.length < limiter.limit) this.#submit(limiter);
      this.#calls.sort((one, other) => one.endsAt - other.endsAt);
      const call = this.#calls.shift();
      if (call === undefined) throw new Error('the limiter lets nothing run');
      this.clock.advance(Math.max(0, call.endsAt - this.clock.now()));
      await call.end();
      total += call.endsAt - call.startedAt;
    }
    return { throughput: (count * 1_000) / (this.clock.now() - begin), latency: total / count };
  }

  #submit(limiter: Pick<AdaptiveLimiter, 'run'>): void {
    const { workers, service } = this.shape;
    const now = this.clock.now();
    const work = service * (1 + this.#spread * (2 * this.#random() - 1));
    const slots = this.#free.sort((one, other) => one - other).slice(-workers);
    while (slots.length < workers) slots.unshift(now);
    const endsAt = Math.max(now, slots[0] as number) + work;
    slots[0] = endsAt;
    this.#free = slots;
    const answered = Promise.withResolvers<void>();
    const run = limiter.run(() => answered.promise);
    const end = async (): Promise<void> => {
      answered.resolve();
      await run;
    };
    this.#calls.push({ startedAt: now, endsAt, end });
  }
}

/** Lets a fixed number run: what an adaptive limiter is measured against. */
export function fixedLimiter(limit: number): Pick<AdaptiveLimiter, 'run' | 'limit'> {
  const run = async <R>(fn: () => R | PromiseLike<R>): Promise<Awaited<R>> => await fn();
  return { limit, run };
}

/** Throughput per latency: the highest where the server is busy and nothing queues. */
export function power({ throughput, latency }: Outcome): number {
  return throughput / latency;
}
