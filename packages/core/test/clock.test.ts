import { expect, test, vi } from 'vitest';
import { systemClock } from '../src/index.ts';

test('the system clock is monotonic and sees fake timers installed later', () => {
  const before = systemClock.now();
  expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  vi.useFakeTimers();
  try {
    const start = systemClock.now();
    vi.advanceTimersByTime(1_234);
    expect(systemClock.now() - start).toBe(1_234);
    vi.setSystemTime(0);
    expect(systemClock.now() - start).toBe(1_234);
  } finally {
    vi.useRealTimers();
  }
});
