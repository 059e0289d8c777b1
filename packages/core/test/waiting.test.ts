import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TimeoutError, abortable, deadline, delay } from '../src/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('abortable', () => {
  test('passes the result and the rejection through, and leaves no listener', async () => {
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(1), signal)).toBe(1);
    const failure = new Error('x');
    await expect(abortable(Promise.reject(failure), signal)).rejects.toBe(failure);
    expect(listeners(signal)).toBe(0);
    expect(await abortable(Promise.resolve(2), undefined)).toBe(2);
  });

  test('rejects with the reason unchanged, whatever it is, while the promise goes on', async () => {
    const controller = new AbortController();
    const { promise, reject } = Promise.withResolvers<void>();
    const waiting = abortable(promise, controller.signal);
    controller.abort('stop');
    await expect(waiting).rejects.toBe('stop');
    reject(new Error('late, and nobody listens'));
    await vi.advanceTimersByTimeAsync(0);
  });

  test('rejects at once under a signal that has aborted already', async () => {
    const reason = new Error('before');
    await expect(abortable(new Promise(() => {}), AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(abortable(Promise.reject(new Error('mine')), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('bad arguments', () => {
  test('are refused by name, before anything starts', async () => {
    for (const timeout of [0, -1, NaN, '5', null, undefined] as number[]) {
      const work = vi.fn(() => 1);
      await expect(deadline(work, { timeout })).rejects.toThrow(/^`timeout` must be a positive number of milliseconds/);
      expect(work).not.toHaveBeenCalled();
    }
    for (const ms of [-1, NaN, '5', null] as number[])
      await expect(delay(ms)).rejects.toThrow(/^`ms` must be a number/);
    for (const signal of [null, {}] as AbortSignal[]) {
      await expect(delay(1, { signal })).rejects.toThrow(/^`signal` must be an AbortSignal/);
      await expect(deadline(() => 1, { timeout: 1, signal })).rejects.toThrow(/^`signal` must be an AbortSignal/);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an `onTimeout` that throws: its error is the rejection', async () => {
    const failure = new Error('no error to be had');
    const onTimeout = (): never => {
      throw failure;
    };
    const waiting = expect(deadline(() => new Promise(() => {}), { timeout: 5, onTimeout })).rejects.toBe(failure);
    await vi.advanceTimersByTimeAsync(5);
    await waiting;
  });
});

describe('delay', () => {
  test('resolves after its time', async () => {
    let done = false;
    const waiting = delay(50).then(() => (done = true));
    await vi.advanceTimersByTimeAsync(49);
    expect(done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
  });

  test('an abort ends it with the reason and frees timer and listener', async () => {
    const controller = new AbortController();
    const waiting = delay(1_000, { signal: controller.signal });
    await vi.advanceTimersByTimeAsync(1);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
    await expect(delay(1, { signal: controller.signal })).rejects.toThrow('enough');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('deadline', () => {
  test('gives the result of synchronous and asynchronous work, with nothing left behind', async () => {
    const { signal } = new AbortController();
    expect(await deadline(() => 1, { timeout: 10, signal })).toBe(1);
    expect(await deadline(async () => 2, { timeout: Infinity, signal })).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners(signal)).toBe(0);
  });

  test('turns a synchronous throw into a rejection', async () => {
    const failure = new Error('sync');
    const work = (): never => {
      throw failure;
    };
    await expect(deadline(work, { timeout: 10 })).rejects.toBe(failure);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('times out with a typed error, and tells the work through its signal', async () => {
    let seen: unknown;
    const waiting = deadline(
      (signal) => new Promise(() => signal.addEventListener('abort', () => (seen = signal.reason))),
      { timeout: 10 },
    );
    const outcome = expect(waiting).rejects.toMatchObject({
      code: 'PERF_TIMEOUT',
      timeout: 10,
      message: 'timed out after 10 ms',
    });
    await vi.advanceTimersByTimeAsync(10);
    await outcome;
    expect(seen).toBeInstanceOf(TimeoutError);
  });

  test('rejects with the error it is told to make', async () => {
    const waiting = deadline(() => new Promise(() => {}), {
      timeout: 10,
      onTimeout: (ms) => new TimeoutError('load', { timeout: ms, code: 'PERF_X' }),
    });
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'PERF_X', timeout: 10 });
    await vi.advanceTimersByTimeAsync(10);
    await outcome;
  });

  test('what the work throws on abort does not win over the reason', async () => {
    const controller = new AbortController();
    const reason = new Error('the caller left');
    const work = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('wrapped'))));
    const waiting = deadline(work, { timeout: 10, signal: controller.signal });
    await vi.advanceTimersByTimeAsync(1);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
  });

  test('does not start the work under a signal that has aborted already', async () => {
    const work = vi.fn();
    await expect(deadline(work, { timeout: 10, signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(work).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('swallows a late result and a late failure', async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    const waiting = deadline(() => promise, { timeout: 10 });
    const outcome = expect(waiting).rejects.toThrow(TimeoutError);
    await vi.advanceTimersByTimeAsync(10);
    await outcome;
    reject(new Error('late'));
    await vi.advanceTimersByTimeAsync(0);
  });

  test('a work that aborts its own caller settles once, with the reason', async () => {
    const controller = new AbortController();
    const waiting = deadline(
      () => {
        controller.abort('self');
        return 'a result';
      },
      { timeout: 10, signal: controller.signal },
    );
    await expect(waiting).rejects.toBe('self');
  });
});
