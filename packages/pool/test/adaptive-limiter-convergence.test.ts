import { seededRandom } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AdaptiveLimiter } from '../src/index.ts';
import { type Outcome, type ServerShape, SimulatedServer, fixedLimiter, power } from './simulated-server.ts';

/** A request takes 70 to 130 % of the average. */
const SPREAD = 0.3;
const BEFORE: ServerShape = { workers: 20, service: 10 };

beforeEach(() => {
  // What spreads the probes of many processes over time.
  vi.spyOn(Math, 'random').mockImplementation(seededRandom(7));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** The fixed limit that gets most throughput per latency out of a server, found by trying them all. */
async function bestFixed(shape: ServerShape): Promise<{ limit: number; outcome: Outcome }> {
  let best = { limit: 0, outcome: { throughput: 0, latency: 1 } };
  for (let limit = 1; limit <= 50; limit++) {
    const outcome = await new SimulatedServer(shape, { seed: 1, spread: SPREAD }).serve(fixedLimiter(limit), 500);
    if (power(outcome) > power(best.outcome)) best = { limit, outcome };
  }
  return best;
}

describe.each<[string, ServerShape]>([
  ['it lost half of its workers, and half of the calls would queue', { workers: 10, service: 10 }],
  ['each request takes twice as long, and a lower limit would not help', { workers: 20, service: 20 }],
])('a server whose latency doubles because %s', (_, after) => {
  test.each(Array.from({ length: 10 }, (__, index) => ({ seed: index + 1 })))(
    'has a limit within a fifth of the best fixed one 200 requests later (seed $seed)',
    async ({ seed }) => {
      const server = new SimulatedServer(BEFORE, { seed, spread: SPREAD });
      const limiter = new AdaptiveLimiter({ clock: server.clock });
      await server.serve(limiter, 3_000);
      server.shape = after;
      await server.serve(limiter, 200);
      const limits: number[] = [];
      const outcomes: Outcome[] = [];
      for (let request = 0; request < 400; request++) {
        outcomes.push(await server.serve(limiter, 1));
        limits.push(limiter.limit);
      }
      const best = await bestFixed(after);
      const median = limits.toSorted((one, other) => one - other)[200] as number;
      expect(median).toBeGreaterThanOrEqual(best.limit * 0.8);
      expect(median).toBeLessThanOrEqual(best.limit * 1.2);
      const elapsed = outcomes.reduce((sum, { throughput }) => sum + 1_000 / throughput, 0);
      expect((outcomes.length * 1_000) / elapsed).toBeGreaterThanOrEqual(best.outcome.throughput * 0.8);
    },
  );
});

test('a limit for calls that vary a lot does not wither away by chance', async () => {
  for (const seed of [1, 2, 3]) {
    const server = new SimulatedServer(BEFORE, { seed, spread: 0.9 });
    const limiter = new AdaptiveLimiter({ clock: server.clock });
    const outcome = await server.serve(limiter, 10_000);
    // The server can do 2,000 a second.
    expect(outcome.throughput).toBeGreaterThan(1_500);
  }
});
