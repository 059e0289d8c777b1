import { expect, test } from 'vitest';
import { LatencySizer } from '../src/latency-sizer.ts';
import { simulate } from './store-simulation.ts';

const steady = { waiting: 1e9, again: false };

/** A batch of the present limit, or of a part of it. */
function send(sizer: LatencySizer, latencyOf: (size: number) => number, part = 1): void {
  const limit = sizer.size;
  const size = Math.max(1, Math.floor(limit * part));
  sizer.record({ limit, size, latency: latencyOf(size), outcome: 'answered' });
}

test('a store of 1 ms and 0.1 ms an operation, target 10 ms: it settles near 90 within 50 batches, falls, and recovers', () => {
  const sizer = new LatencySizer(10, 10_000);
  let slow = 1;
  const latency = (size: number): number => slow * (1 + 0.1 * size);
  const sizes = (batches: number): number[] =>
    Array.from({ length: batches }, () => {
      send(sizer, latency);
      return sizer.size;
    });
  sizes(50);
  expect(sizer.size).toBeGreaterThanOrEqual(75);
  const settled = sizes(200);
  expect(Math.min(...settled)).toBeGreaterThanOrEqual(75);
  expect(Math.max(...settled)).toBeLessThanOrEqual(100);
  slow = 10;
  sizes(60);
  expect(sizer.size).toBe(1);
  slow = 1;
  sizes(120);
  expect(sizer.size).toBeGreaterThanOrEqual(75);
});

test('so it does with five batches under way at once, none of which counts twice', () => {
  const sizer = new LatencySizer(10, 10_000);
  const seen: number[] = [];
  const sizing = {
    limitFor: () => {
      seen.push(sizer.size);
      return sizer.size;
    },
    record: sizer.record.bind(sizer),
  };
  simulate(sizing, (size) => 1 + 0.1 * size, { load: steady, operations: 50_000 });
  const settled = seen.slice(50);
  expect(Math.min(...settled)).toBeGreaterThanOrEqual(75);
  expect(Math.max(...settled)).toBeLessThanOrEqual(100);
});

test('batches that are not full never let it grow', () => {
  const sizer = new LatencySizer(10, 10_000);
  const before = sizer.size;
  for (let batch = 0; batch < 1000; batch++) send(sizer, () => 0.1, 0.5);
  expect(sizer.size).toBe(before);
});

test('a slow batch cuts it though it was not full', () => {
  const sizer = new LatencySizer(10, 10_000);
  const before = sizer.size;
  send(sizer, () => 11, 0.5);
  expect(sizer.size).toBe(Math.floor(before * 0.9));
});

test('overload cuts it, another failure does not', () => {
  const sizer = new LatencySizer(10, 10_000);
  const limit = sizer.size;
  sizer.record({ limit, size: limit, latency: 1, outcome: 'failed' });
  expect(sizer.size).toBe(limit);
  sizer.record({ limit, size: limit, latency: 1, outcome: 'overloaded' });
  expect(sizer.size).toBe(Math.floor(limit * 0.9));
  sizer.record({ limit, size: limit, latency: 1, outcome: 'tooLarge' });
  expect(sizer.size).toBe(Math.floor(limit * 0.9));
});

test('it never exceeds its cap', () => {
  const sizer = new LatencySizer(10, 40);
  for (let batch = 0; batch < 100; batch++) send(sizer, () => 1);
  expect(sizer.size).toBe(40);
  expect(new LatencySizer(10, 3).size).toBe(3);
});
