import { expect, test } from 'vitest';
import { CallCost } from '../src/call-cost.ts';
import { FairShare } from '../src/fair-share.ts';
import { ThroughputSizer } from '../src/throughput-sizer.ts';
import { type Cost, type Sizing, bestFixed, simulate } from './store-simulation.ts';

function sought(concurrency = 5): Sizing & { sizer: ThroughputSizer } {
  const sizer = new ThroughputSizer(10_000);
  const share = new FairShare(concurrency);
  const costs = new CallCost();
  return {
    sizer,
    limitFor: (waiting, pending) => share.limit(sizer.limitFor(waiting), { waiting, pending }, costs.worthIt),
    record: (batch) => {
      sizer.record(batch);
      costs.record(batch.size, batch.latency);
    },
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
  ['100 callers', { load: { waiting: 100, again: true }, operations: 100_000 }],
  ['200 callers', { load: { waiting: 200, again: true }, operations: 100_000 }],
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

test('what is pending is shared out among the slots, and what is under way counts less when it gets less', () => {
  const share = new FairShare(5);
  const limit = (size: number, waiting: number, pending: number, worthIt?: number): number =>
    share.limit(size, { waiting, pending }, worthIt);
  expect(limit(400, 1e6, 1e6)).toBe(400);
  expect(limit(400, 500, 2100)).toBe(180);
  expect(limit(400, 500, 2100)).toBe(180);
  expect(limit(500, 500, 2200)).toBe(440);
  expect(new FairShare(Infinity).limit(400, { waiting: 90, pending: 90 }, 20)).toBe(400);
});

test('what is little goes together, as far as a call of its own is not worth it', () => {
  const limit = (waiting: number, worthIt: number | undefined): number =>
    new FairShare(5).limit(400, { waiting, pending: waiting }, worthIt);
  expect([90, 200, 600].map((waiting) => limit(waiting, undefined))).toEqual([100, 100, 120]);
  expect([5, 90, 200, 600].map((waiting) => limit(waiting, 20))).toEqual([20, 20, 40, 120]);
  expect([90, 600].map((waiting) => limit(waiting, Infinity))).toEqual([100, 120]);
});

test('while the cost of a call is unknown, one of four batches that are shared out is halved to find out', () => {
  const share = new FairShare(5);
  const limits = Array.from({ length: 8 }, () => share.limit(200, { waiting: 200, pending: 200 }, undefined));
  expect(limits).toEqual([100, 100, 100, 50, 100, 100, 100, 50]);
});

test('the cost of a call is a line through those lately', () => {
  const costs = new CallCost();
  for (let call = 0; call < 20; call++) costs.record(100, 11);
  // All of one size: nobody can tell.
  expect(costs.worthIt).toBeUndefined();
  for (let call = 0; call < 20; call++) costs.record(50, 6);
  expect(costs.worthIt).toBe(10);
  costs.record(100, 11_000);
  expect(costs.worthIt).toBeLessThan(30);
  for (let call = 0; call < 300; call++) costs.record(call % 2 === 0 ? 100 : 50, call % 2 === 0 ? 101 : 51);
  expect(costs.worthIt).toBe(1);
  for (let call = 0; call < 300; call++) costs.record(call % 2 === 0 ? 100 : 50, 5);
  expect(costs.worthIt).toBeGreaterThan(400);
  for (let call = 0; call < 300; call++) costs.record(call % 2 === 0 ? 100 : 50, call % 2 === 0 ? 1000 : 100);
  expect(costs.worthIt).toBe(1);
});

/** Sends batches of up to `waiting` operations to a store that takes 1 ms a call and 0.01 ms an operation, or fails. */
function sendBatches(sizer: ThroughputSizer, waiting: number, count: number, outcome: 'answered' | 'tooLarge'): void {
  for (let batch = 0; batch < count; batch++) {
    const limit = sizer.limitFor(waiting);
    const size = Math.min(limit, waiting);
    sizer.record({ limit, size, latency: 1 + 0.01 * size, outcome });
  }
}

test.each([7, 50, 1000, 1e9])('after a bad minute it recovers, where %d operations wait too', (waiting) => {
  const sizer = new ThroughputSizer(10_000);
  sendBatches(sizer, waiting, 500, 'answered');
  const rate = (): number => 1 / (0.01 + 1 / Math.min(waiting, sizer.size));
  const before = rate();
  sendBatches(sizer, waiting, 1000, 'tooLarge');
  expect(sizer.size).toBe(1);
  sendBatches(sizer, waiting, 300, 'answered');
  expect(rate()).toBeGreaterThanOrEqual(0.95 * before);
});

test('what is too large for the store is tried again more and more rarely, where little waits too', () => {
  const sizer = new ThroughputSizer(10_000);
  let refused = 0;
  for (let batch = 0; batch < 20_000; batch++) {
    const limit = sizer.limitFor(30);
    const size = Math.min(limit, 30);
    if (size > 8) refused++;
    sizer.record({ limit, size, latency: 1 + 0.01 * size, outcome: size > 8 ? 'tooLarge' : 'answered' });
  }
  expect(sizer.size).toBeGreaterThan(4);
  expect(refused).toBeLessThanOrEqual(20);
});
