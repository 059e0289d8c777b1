import { uniform } from '../random.ts';
import { type Trace, traceOf } from './trace.ts';

const REQUESTS = 400_000;

/** The generated traces, each of a pattern that some policy fails on. The same seed makes the same traces. */
export function generatedTraces(seed = 1): Trace[] {
  return [
    traceOf('zipf', zipf({ seed, universe: 50_000, shifts: 1 })),
    traceOf('shifting-zipf', zipf({ seed, universe: 50_000, shifts: 20 })),
    traceOf('one-hit-wonders', oneHitWonders(seed)),
    traceOf('scans', scans(seed)),
    traceOf('long-loop', loop(1_500)),
    traceOf('loop-in-zipf', loopInZipf(seed)),
    traceOf('one-distance', oneDistance(400)),
    traceOf('phases', phases(seed)),
  ];
}

/** Sequences of requests by the name of their pattern, for a reader who wants to know what is in them. */
function* zipf(shape: { seed: number; universe: number; shifts: number }): Generator<number, undefined> {
  const next = popular(uniform(shape.seed), shape.universe);
  for (let at = 0; at < REQUESTS; at++) {
    // What was popular is not any more: every rank belongs to another key.
    const shift = Math.floor((at * shape.shifts) / REQUESTS);
    yield (next() + shift * 7_919) % shape.universe;
  }
}

/** Half of the requests are for keys that never come again. */
function* oneHitWonders(seed: number): Generator<number, undefined> {
  const random = uniform(seed);
  const next = popular(random, 20_000);
  for (let at = 0; at < REQUESTS; at++) yield random() < 0.5 ? 1_000_000 + at : next();
}

/** A popular set, and now and then a scan longer than the cache over keys that never come again. */
function* scans(seed: number): Generator<number, undefined> {
  const next = popular(uniform(seed), 10_000);
  for (let at = 0; at < REQUESTS; at++) yield at % 10_000 < 2_500 ? 1_000_000 + at : next();
}

/** The same keys over and over, more than the cache holds. */
function* loop(length: number): Generator<number, undefined> {
  for (let at = 0; at < REQUESTS; at++) yield at % length;
}

/** One request in three goes round a loop, the others are for popular keys. */
function* loopInZipf(seed: number): Generator<number, undefined> {
  const next = popular(uniform(seed), 20_000);
  for (let at = 0; at < REQUESTS; at++) yield at % 3 === 0 ? 1_000_000 + ((at / 3) % 3_000) : next();
}

/** Every key twice, the second time after the same number of others: only recency counts, and frequency tells nothing. */
function* oneDistance(distance: number): Generator<number, undefined> {
  for (let at = 0; at < REQUESTS; at++) {
    const first = at >> 1;
    yield at % 2 === 0 || first < distance ? first : first - distance;
  }
}

/** By turns a loop, where only frequency helps, and reuse at one distance, where only recency does. */
function* phases(seed: number): Generator<number, undefined> {
  const next = popular(uniform(seed), 20_000);
  for (let at = 0; at < REQUESTS; at++) {
    const phase = Math.floor((at * 9) / REQUESTS);
    const turn = phase % 3;
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
