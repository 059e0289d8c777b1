import { expect, test } from 'vitest';
import { nextChunkSize } from '../src/chunk-size.ts';

const facts = { perItem: 0.01, previous: 1_000, left: undefined, workers: 4 };

test('starts with one item, as nothing is known', () => {
  expect(nextChunkSize({ ...facts, perItem: undefined, previous: 0 })).toBe(1);
});

test('sends as many as take a few milliseconds', () => {
  expect(nextChunkSize(facts)).toBe(400);
  expect(nextChunkSize({ ...facts, perItem: 1 })).toBe(4);
});

test('sends slow items alone', () => {
  expect(nextChunkSize({ ...facts, perItem: 50 })).toBe(1);
});

test('grows fourfold at most, and not for ever', () => {
  expect(nextChunkSize({ ...facts, previous: 1 })).toBe(4);
  expect(nextChunkSize({ ...facts, perItem: 0, previous: 1e9 })).toBe(4_096);
});

test('leaves work for every worker at the end', () => {
  expect(nextChunkSize({ ...facts, left: 80 })).toBe(10);
  expect(nextChunkSize({ ...facts, left: 1 })).toBe(1);
  expect(nextChunkSize({ ...facts, left: 0 })).toBe(1);
});
