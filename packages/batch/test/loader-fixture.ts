import { afterEach, beforeEach, expect, vi } from 'vitest';
import { DataLoader, type DataLoaderOptions } from '../src/index.ts';
import { Recorder } from './recorder.ts';

/** A loader whose batches wait for the test to answer them. */
export function setUp<V = unknown>(
  options?: DataLoaderOptions<unknown, V>,
): { readonly recorder: Recorder<unknown, V>; readonly loader: DataLoader<unknown, V> } {
  const recorder = new Recorder<unknown, V>();
  const loader = new DataLoader<unknown, V>((keys, context) => recorder.execute(keys, context as never), options);
  return { recorder, loader };
}

/** Fake timers for each test of the file, no timer left behind, and no rejection that nobody handles. */
export function useQuietTimers(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  beforeEach(() => {
    vi.useFakeTimers();
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
}
