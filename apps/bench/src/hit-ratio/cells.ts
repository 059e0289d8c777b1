import { PEERS, hitRatio, ours } from './contenders.ts';
import type { Trace } from './trace.ts';

/** Ours decides by hashes with a random seed: what is shown is the mean of this many runs. */
const RUNS = 3;

/** The sizes at which the traces are shown that others have published figures of. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  oltp: [560, 5_606],
  web12: [1_024],
  'orm-night': [4_096],
  corda: [1_024],
  gli: [1_000],
  multi3: [1_500],
  sprite: [1_000],
  loop: [512],
  cs: [500],
  '2_pools': [1_000],
};

/** One trace at one size: hits in per cent. */
export interface Cell {
  readonly trace: string;
  readonly capacity: number;
  /** In the order of {@link PEERS}. */
  readonly peers: readonly number[];
  /** The mean of several runs. */
  readonly ours: number;
}

/** How many entries the cache has; for a generated trace and one nobody knows, a thousand, or a tenth of its keys where those are few. */
export function sizesOf(trace: Trace): readonly number[] {
  return SIZES[trace.name] ?? [Math.max(1, Math.min(1_000, Math.ceil(trace.distinct / 10)))];
}

export function measureCell(trace: Trace, capacity: number): Cell {
  const runs = Array.from({ length: RUNS }, () => hitRatio(trace, ours(capacity)).requests);
  return {
    trace: trace.name,
    capacity,
    peers: PEERS.map(({ of }) => hitRatio(trace, of(capacity, trace.distinct)).requests),
    ours: mean(runs),
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
