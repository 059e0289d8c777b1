import { expect, test } from 'vitest';
import { FairShare } from '../src/fair-share.ts';
import { ThroughputSizer } from '../src/throughput-sizer.ts';
import { type Cost, type Sizing, bestFixed, simulate } from './store-simulation.ts';

function sought(concurrency = 5): Sizing & { sizer: ThroughputSizer } {
  const sizer = new ThroughputSizer(10_000);
  const share = new FairShare(concurrency);
  return {
    sizer,
    limitFor: (waiting, pending) => share.limit(sizer.limitFor(waiting), waiting, pending),
    record: (batch) => sizer.record(batch),
  };
}

/** Deterministic noise: the same at every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

const LINEAR: Cost = (size) => 1 + 0.1 * size;
const STEADY = { load: { waiting: 1e9, again: false }, operations: 300_000 };

test.each([
  ['a burst of 10,000', { load: { waiting: 10_000, again: false }, operations: 10_000 }],
  ['a burst of 20,000', { load: { waiting: 20_000, again: false }, operations: 20_000 }],
  ['a burst of 50,000', { load: { waiting: 50_000, again: false }, operations: 50_000 }],
  ['a steady load', STEADY],
  ['500 callers', { load: { waiting: 500, again: true }, operations: 100_000 }],
  ['1,000 callers', { load: { waiting: 1000, again: true }, operations: 100_000 }],
  ['2,000 callers', { load: { waiting: 2000, again: true }, operations: 100_000 }],
  ['5,000 callers', { load: { waiting: 5000, again: true }, operations: 200_000 }],
])('%s, 1 ms a call and 0.1 ms an operation: 95 % of the best fixed size', (_, run) => {
  expect(simulate(sought(), LINEAR, run)).toBeGreaterThanOrEqual(0.95 * bestFixed(LINEAR, run).rate);
});

test('of sizes with nearly the same throughput it takes a small one', () => {
  const sizing = sought();
  simulate(sizing, LINEAR, STEADY);
  expect(sizing.sizer.size).toBeLessThanOrEqual(500);
  const free = sought();
  simulate(free, (size) => 0.001 + 0.1 * size, STEADY);
  expect(free.sizer.size).toBeLessThanOrEqual(25);
});

test('a call that costs much makes batches large', () => {
  const cost: Cost = (size) => 100 + 0.01 * size;
  const sizing = sought();
  const run = { load: { waiting: 1e9, again: false }, operations: 3_000_000 };
  expect(simulate(sizing, cost, run)).toBeGreaterThanOrEqual(0.9 * bestFixed(cost, run).rate);
  expect(sizing.sizer.size).toBe(10_000);
});

test('where large batches cost more than their share it comes back to small ones', () => {
  const cost: Cost = (size) => 1 + 0.1 * size + 0.001 * size ** 2;
  expect(simulate(sought(), cost, STEADY)).toBeGreaterThanOrEqual(0.93 * bestFixed(cost, STEADY).rate);
});

test('a cliff is left at once, and tried again more and more rarely', () => {
  const cost: Cost = (size) => (1 + 0.1 * size) * (size > 300 ? 4 : 1);
  expect(simulate(sought(), cost, STEADY)).toBeGreaterThanOrEqual(0.88 * bestFixed(cost, STEADY).rate);
  const longer = { ...STEADY, operations: 3_000_000 };
  expect(simulate(sought(), cost, longer)).toBeGreaterThanOrEqual(0.93 * bestFixed(cost, longer).rate);
});

test.each([0.1, 0.2, 0.4])('noise of %d costs little', (spread) => {
  const rates = [1, 2, 3].map((seed) => {
    const noise = random(seed);
    // The mean of the factor is 1.
    const cost: Cost = (size) => LINEAR(size, 0) * (1 + spread * (2 * noise() - 1));
    return simulate(sought(), cost, { ...STEADY, operations: 1_000_000 });
  });
  const best = bestFixed(LINEAR, STEADY).rate;
  expect(Math.min(...rates)).toBeGreaterThanOrEqual(0.9 * best);
});

test('a store that gets ten times slower, or faster, moves it by a step at most', () => {
  const sizing = sought();
  let factor = 1;
  const cost: Cost = (size) => factor * LINEAR(size, 0);
  simulate(sizing, cost, STEADY);
  const before = sizing.sizer.size;
  for (factor of [10, 1, 10, 0.1, 10]) {
    simulate(sizing, cost, { ...STEADY, operations: 50_000 });
    expect(sizing.sizer.size).toBeGreaterThanOrEqual(before / 2);
    expect(sizing.sizer.size).toBeLessThanOrEqual(before * 2);
  }
});

test('it follows a store whose calls become dear, and cheap again', () => {
  const sizing = sought();
  let fixed = 1;
  const cost: Cost = (size) => fixed + 0.1 * size;
  simulate(sizing, cost, STEADY);
  fixed = 30;
  simulate(sizing, cost, { ...STEADY, operations: 2_000_000 });
  expect(sizing.sizer.size).toBeGreaterThanOrEqual(3200);
  fixed = 0.5;
  simulate(sizing, cost, { ...STEADY, operations: 4_000_000 });
  expect(sizing.sizer.size).toBeLessThanOrEqual(800);
});

test('batches that are not full, or take no time that can be measured, never let it grow', () => {
  const sizer = new ThroughputSizer(10_000);
  const { size } = sizer;
  for (let batch = 0; batch < 1000; batch++) {
    sizer.record({ limit: sizer.size, size: sizer.size - 1, latency: 1, outcome: 'answered' });
    sizer.record({ limit: sizer.size, size: sizer.size, latency: 0, outcome: 'answered' });
    sizer.record({ limit: sizer.size, size: sizer.size, latency: 1, outcome: 'failed' });
    sizer.record({ limit: sizer.size, size: sizer.size, latency: 1, outcome: 'overloaded' });
  }
  expect(sizer.size).toBe(size);
});

test('a batch too large for the store is halved, once for all that were under way with it', () => {
  const sizer = new ThroughputSizer(10_000);
  const limit = sizer.size;
  for (let batch = 0; batch < 5; batch++) sizer.record({ limit, size: limit, latency: 1, outcome: 'tooLarge' });
  expect(sizer.size).toBe(limit / 2);
  for (let batch = 0; batch < 20; batch++) {
    sizer.record({ limit: sizer.size, size: sizer.size, latency: 1, outcome: 'tooLarge' });
  }
  expect(sizer.size).toBe(1);
});

test('what is pending is shared out among the slots, and what is under way counts half when it gets less', () => {
  const share = new FairShare(5);
  expect(share.limit(400, 1e6, 1e6)).toBe(400);
  expect(share.limit(400, 500, 2100)).toBe(260);
  expect(share.limit(400, 500, 2100)).toBe(260);
  expect(share.limit(500, 500, 2200)).toBe(440);
  // What is little goes together.
  expect(share.limit(400, 90, 90)).toBe(100);
  expect(share.limit(50, 90, 90)).toBe(50);
  expect(new FairShare(Infinity).limit(400, 90, 90)).toBe(400);
});
