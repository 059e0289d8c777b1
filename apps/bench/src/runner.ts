import type { Comparison, Contender, Digest } from './comparison.ts';
import { type Spread, spreadOf } from './statistics.ts';

export interface RunOptions {
  /** Measurements of each contender that count. */
  readonly rounds: number;
  /** Measurements of each contender before those. */
  readonly warmups: number;
  /** Milliseconds one measurement should take, where the comparison does not fix the iterations. */
  readonly target: number;
  /** The most iterations of one measurement, where the comparison fixes them. @default no limit */
  readonly mostIterations?: number;
  /** Told as each comparison goes on. */
  readonly onProgress?: (message: string) => void;
}

export interface ContenderResult {
  readonly name: string;
  readonly ours: boolean;
  /** Nanoseconds for one iteration. */
  readonly nanoseconds: Spread;
  /** This contender's time / the time of ours in the same round, over the rounds; absent without one of ours. */
  readonly relative?: Spread;
}

export interface ComparisonResult {
  readonly package: string;
  readonly title: string;
  readonly unit: string;
  readonly iterations: number;
  readonly rounds: number;
  readonly contenders: readonly ContenderResult[];
}

/**
 * Measures all contenders of a comparison in this process, in rounds: each round measures each contender once, in an order that turns from round to round, so
 * that a drift of the machine's speed meets all of them alike. Ratios are taken within a round.
 *
 * @throws Error when two contenders' digests differ: they did not do the same work
 */
export async function runComparison(comparison: Comparison, options: RunOptions): Promise<ComparisonResult> {
  const contenders = await comparison.contenders();
  try {
    const { mostIterations = Infinity, target } = options;
    const fixed = comparison.iterations && Math.min(comparison.iterations, mostIterations);
    const iterations = fixed ?? (await calibrate(contenders, target));
    const times = contenders.map((): number[] => []);
    const digests = new Map<string, Digest>();
    for (let round = -options.warmups; round < options.rounds; round++) {
      options.onProgress?.(`${comparison.package}: ${comparison.title}, round ${round + options.warmups + 1}`);
      for (const index of rotated(contenders.length, round + options.warmups)) {
        const contender = contenders[index] as Contender;
        const { elapsed, digest } = await measure(contender, iterations);
        digests.set(contender.name, digest);
        if (round >= 0) times[index]?.push(elapsed / iterations);
      }
      assertSameWork(comparison, digests);
    }
    return {
      package: comparison.package,
      title: comparison.title,
      unit: comparison.unit,
      iterations,
      rounds: options.rounds,
      contenders: results(contenders, times),
    };
  } finally {
    for (const contender of contenders) await contender.close?.();
  }
}

/** As many iterations as the slowest contender does in the target time. */
async function calibrate(contenders: readonly Contender[], target: number): Promise<number> {
  let fewest = Infinity;
  for (const contender of contenders) {
    let iterations = 1;
    for (;;) {
      // The faster of two: the first call pays for what is started and compiled, and any may be interrupted.
      const first = await measure(contender, iterations);
      const second = await measure(contender, iterations);
      const milliseconds = Math.min(first.elapsed, second.elapsed) / 1e6;
      if (milliseconds >= target / 2 || iterations >= 2 ** 26) break;
      iterations = Math.ceil(iterations * Math.min(16, Math.max(2, target / Math.max(milliseconds, target / 16))));
    }
    fewest = Math.min(fewest, iterations);
  }
  return fewest;
}

async function measure(contender: Contender, iterations: number): Promise<{ elapsed: number; digest: Digest }> {
  globalThis.gc?.();
  const start = process.hrtime.bigint();
  const running = contender.run(iterations);
  // Synchronous work is not charged for a turn of the event loop.
  const digest = running instanceof Promise ? await running : running;
  return { elapsed: Number(process.hrtime.bigint() - start), digest };
}

function rotated(length: number, by: number): number[] {
  return Array.from({ length }, (_, index) => (index + by) % length);
}

function assertSameWork(comparison: Comparison, digests: ReadonlyMap<string, Digest>): void {
  const [first, ...rest] = digests;
  for (const [name, digest] of rest) {
    if (digest === first?.[1]) continue;
    throw new Error(
      `${comparison.package}, ${comparison.title}: ${name} came to ${digest}, but ${first?.[0]} to ${first?.[1]}; they did different work`,
    );
  }
}

function results(contenders: readonly Contender[], times: readonly number[][]): ContenderResult[] {
  const ours = contenders.findIndex((contender) => contender.ours === true);
  return contenders.map((contender, index) => {
    const mine = times[index] ?? [];
    const base = times[ours];
    return {
      name: contender.name,
      ours: contender.ours === true,
      nanoseconds: spreadOf(mine),
      ...(base && { relative: spreadOf(mine.map((time, round) => time / (base[round] as number))) }),
    };
  });
}
