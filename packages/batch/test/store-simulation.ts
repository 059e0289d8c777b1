import type { SizedBatch } from '../src/sizer.ts';

/** How long one call takes, in milliseconds. */
export type Cost = (size: number, call: number) => number;

export interface Load {
  /** Operations waiting at first. */
  readonly waiting: number;
  /** What becomes of callers that were answered: they come again at once, or have done. */
  readonly again: boolean;
}

/** What decides how large batches are. */
export interface Sizing {
  limitFor(waiting: number, pending: number): number;
  record(batch: SizedBatch): void;
}

/**
 * Runs `concurrency` slots of a simulated store, in virtual time, until `operations` have come back. Returns operations per millisecond.
 */
export function simulate(
  sizing: Sizing,
  cost: Cost,
  { load, concurrency = 5, operations }: { load: Load; concurrency?: number; operations: number },
): number {
  let { waiting } = load;
  let now = 0;
  let done = 0;
  let calls = 0;
  let running: { limit: number; size: number; start: number; end: number }[] = [];
  const inFlight = (): number => running.reduce((sum, { size }) => sum + size, 0);
  while (done < operations) {
    while (running.length < concurrency && waiting > 0) {
      const limit = sizing.limitFor(waiting, waiting + inFlight());
      const size = Math.min(limit, waiting);
      waiting -= size;
      running.push({ limit, size, start: now, end: now + cost(size, calls++) });
    }
    if (running.length === 0) break;
    // One after the other, also those that end at the same moment: as answers arrive.
    const next = running.reduce((first, each) => (each.end < first.end ? each : first));
    running = running.filter((each) => each !== next);
    const { limit, size, start, end } = next;
    now = end;
    done += size;
    if (load.again) waiting += size;
    sizing.record({ limit, size, latency: end - start, outcome: 'answered' });
  }
  return done / now;
}

/** The throughput of the best fixed size, found by search. */
export function bestFixed(cost: Cost, run: Parameters<typeof simulate>[2]): { size: number; rate: number } {
  let best = { size: 0, rate: 0 };
  for (let size = 1; size <= 10_000; size = Math.ceil(size * 1.1)) {
    const rate = simulate({ limitFor: () => size, record: () => {} }, cost, run);
    if (rate > best.rate) best = { size, rate };
  }
  return best;
}
