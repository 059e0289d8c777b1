import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MAX_TIMER_DELAY, startTimer } from '../src/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a timer fires once, after its delay', () => {
  const fired = vi.fn();
  startTimer(fired, 100);
  vi.advanceTimersByTime(99);
  expect(fired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  expect(fired).toHaveBeenCalledTimes(1);
});

test('a timer longer than Node allows fires when it should, not at once', () => {
  const fired = vi.fn();
  startTimer(fired, 2 * MAX_TIMER_DELAY + 5);
  vi.advanceTimersByTime(2 * MAX_TIMER_DELAY + 4);
  expect(fired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(fired).toHaveBeenCalledTimes(1);
});

test('an infinite timer holds nothing and never fires', () => {
  const timer = startTimer(() => expect.unreachable(), Infinity);
  expect(vi.getTimerCount()).toBe(0);
  timer.cancel();
});

test('a cancelled timer is gone, also in the middle of a long wait, and cancelling twice is fine', () => {
  const timer = startTimer(() => expect.unreachable(), 3 * MAX_TIMER_DELAY);
  vi.advanceTimersByTime(MAX_TIMER_DELAY + 1);
  timer.cancel();
  timer.cancel();
  expect(vi.getTimerCount()).toBe(0);
});

test('an unref-ed timer does not keep the process alive', () => {
  vi.useRealTimers();
  const module = new URL('../src/timer.ts', import.meta.url).href;
  const code = `import { startTimer } from ${JSON.stringify(module)}; startTimer(() => {}, 3 * 2 ** 31, { unref: true });`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout: 20_000, encoding: 'utf8' });
  expect(child).toMatchObject({ status: 0, signal: null, stdout: '' });
});
