import { afterEach, beforeEach, expect, vi } from 'vitest';

/** Runs the tests of a file on fake time, and fails those that leave a timer or an unhandled rejection behind. */
export function useFakeTime(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);

  beforeEach(() => {
    vi.useFakeTimers();
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });

  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.restoreAllMocks();
    vi.useRealTimers();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
}

/** Multiplies by ten. */
export async function echo(ops: readonly number[]): Promise<number[]> {
  return ops.map((op) => op * 10);
}
