import { expect, test } from 'vitest';
import { Bisection, halvesOf } from '../src/bisection.ts';

/** Looks for bad ones among `size` items that have failed together. Returns which were found, which were given up, and the calls it took. */
function search(size: number, bad: (item: number) => boolean): { found: number[]; lost: number[]; calls: number } {
  const items = Array.from({ length: size }, (_, item) => item);
  const bisection = new Bisection<readonly number[]>(size);
  const [found, lost, order]: [number[], number[], number[]] = [[], [], []];
  let calls = 0;
  bisection.put(halvesOf(items));
  for (let part = bisection.next(); part !== undefined; part = bisection.next()) {
    calls++;
    const [first = 0] = part;
    if (!part.some(bad)) {
      bisection.answered();
      order.push(...part);
    } else if (!bisection.failed()) lost.push(...part);
    else if (part.length > 1) bisection.put(halvesOf(part));
    else found.push(first);
  }
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  return { found, lost, calls };
}

test('one bad item in 1,024 is found in 20 calls, wherever it is', () => {
  for (const item of [0, 1, 511, 512, 700, 1023]) {
    expect(search(1024, (each) => each === item)).toEqual({ found: [item], lost: [], calls: 20 });
  }
});

test('k bad items take at most 2k log2(n) calls', () => {
  for (const bad of [
    [0, 1023],
    [0, 1, 2],
    [100, 500, 600, 900],
    [0, 1, 2, 3, 4, 5, 6, 7],
  ]) {
    const { found, lost, calls } = search(1024, (item) => bad.includes(item));
    expect({ found, lost }).toEqual({ found: bad, lost: [] });
    expect(calls).toBeLessThanOrEqual(2 * bad.length * 10);
  }
});

test('where everything fails it gives up after about 3 log2(n) calls', () => {
  for (const size of [2, 3, 100, 1024, 10_000]) {
    expect(search(size, () => true).calls).toBeLessThanOrEqual(3 * Math.ceil(Math.log2(size)) + 3);
  }
});

test('after a row of bad items the rest is still saved', () => {
  const { lost } = search(1024, (item) => item < 200);
  expect(Math.max(...lost)).toBeLessThan(256);
});
