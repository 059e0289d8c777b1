import { uniform } from '../random.ts';
import { type Trace, traceOf } from './trace.ts';

/** The generated traces, each of a pattern that some policy fails on. The same seed makes the same traces. */
export function generatedTraces(shape: { readonly requests?: number; readonly seed?: number } = {}): Trace[] {
  const { requests: length = 400_000, seed = 1 } = shape;
  const cut = (name: string, keys: Iterable<number>): Trace => traceOf(name, first(length, keys));
  return [
    cut('zipf', zipf({ seed, universe: 50_000, every: Infinity })),
    cut('shifting-zipf', zipf({ seed, universe: 50_000, every: 20_000 })),
    cut('one-hit-wonders', oneHitWonders(seed)),
    cut('scans', scans(seed)),
    cut('long-loop', loop(1_500)),
    cut('loop-in-zipf', loopInZipf(seed)),
    cut('one-distance', oneDistance(400)),
    cut('phases', phases(seed)),
  ];
}

function* first(length: number, keys: Iterable<number>): Generator<number, undefined> {
  let left = length;
  for (const key of keys) {
    if (left-- === 0) return;
    yield key;
  }
}

/** Popular keys; `every` so many requests others become popular, and every rank belongs to another key. */
function* zipf(shape: { seed: number; universe: number; every: number }): Generator<number, undefined> {
  const next = popular(uniform(shape.seed), shape.universe);
  for (let at = 0; ; at++) {
    const shift = Math.floor(at / shape.every);
    yield (next() + shift * 7_919) % shape.universe;
  }
}

/** Half of the requests are for keys that never come again. */
function* oneHitWonders(seed: number): Generator<number, undefined> {
  const random = uniform(seed);
  const next = popular(random, 20_000);
  for (let at = 0; ; at++) yield random() < 0.5 ? 1_000_000 + at : next();
}

/** A popular set, and now and then a scan longer than the cache over keys that never come again. */
function* scans(seed: number): Generator<number, undefined> {
  const next = popular(uniform(seed), 10_000);
  for (let at = 0; ; at++) yield at % 10_000 < 2_500 ? 1_000_000 + at : next();
}

/** The same keys over and over, more than the cache holds. */
function* loop(length: number): Generator<number, undefined> {
  for (let at = 0; ; at++) yield at % length;
}

/** One request in three goes round a loop, the others are for popular keys. */
function* loopInZipf(seed: number): Generator<number, undefined> {
  const next = popular(uniform(seed), 20_000);
  for (let at = 0; ; at++) yield at % 3 === 0 ? 1_000_000 + ((at / 3) % 3_000) : next();
}

/** Every key twice, the second time after the same number of others: only recency counts, and frequency tells nothing. */
function* oneDistance(distance: number): Generator<number, undefined> {
  for (let at = 0; ; at++) {
    const first = at >> 1;
    yield at % 2 === 0 || first < distance ? first : first - distance;
  }
}

/** By turns a loop, where only frequency helps, and reuse at one distance, where only recency does. */
function* phases(seed: number): Generator<number, undefined> {
  const next = popular(uniform(seed), 20_000);
  for (let at = 0; ; at++) {
    const turn = Math.floor(at / 45_000) % 3;
    if (turn === 0) yield 1_000_000 + (at % 1_500);
    else if (turn === 1) yield 2_000_000 + (at >> 1) - (at % 2) * 600;
    else yield next();
  }
}

/** Ranks below `universe`, the k-th about as likely as 1 / k^0.9: a bounded Pareto distribution, rounded down. */
function popular(random: () => number, universe: number): () => number {
  const skew = 0.1;
  const end = universe ** skew - 1;
  return () => Math.min(universe - 1, Math.floor((random() * end + 1) ** (1 / skew)) - 1);
}
