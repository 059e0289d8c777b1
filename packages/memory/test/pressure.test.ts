import { describe, expect, test } from 'vitest';
import type { MemoryReading } from '../src/index.ts';
import { pressureOf } from '../src/pressure.ts';

const reading = (over: Partial<MemoryReading> = {}): MemoryReading => ({
  heapUsed: 10,
  heapLimit: 125,
  heapTotal: 20,
  external: 5,
  rss: 50,
  ...over,
});

describe('pressure', () => {
  test('is the share of the limit that is closest', () => {
    expect(pressureOf(reading(), undefined)).toMatchObject({ ratio: 0.1, boundBy: 'heap' });
    expect(pressureOf(reading({ containerLimit: 100 }), undefined)).toMatchObject({ ratio: 0.5, boundBy: 'container' });
    expect(pressureOf(reading({ containerLimit: 100 }), 60)).toMatchObject({ ratio: 50 / 60, boundBy: 'limit' });
    expect(pressureOf(reading({ containerLimit: 100, containerUsed: 90 }), 60)).toMatchObject({ ratio: 0.9 });
  });

  test('counts the heap as of its last major collection, or less', () => {
    expect(pressureOf(reading({ heapUsed: 90, heapLive: 30 }), undefined).ratio).toBe(0.3);
    expect(pressureOf(reading({ heapUsed: 20, heapLive: 30 }), undefined).ratio).toBe(0.2);
  });

  test('is unexplained when most of it is neither heap nor buffers', () => {
    const stuck = reading({ heapTotal: 20, external: 20, rss: 95, containerLimit: 100 });
    expect(pressureOf(stuck, undefined)).toEqual({ ratio: 0.95, boundBy: 'container', unexplained: true });
    expect(pressureOf({ ...stuck, external: 60 }, undefined).unexplained).toBe(false);
    expect(pressureOf({ ...stuck, heapUsed: 96 }, undefined)).toMatchObject({ boundBy: 'heap', unexplained: false });
  });
});
