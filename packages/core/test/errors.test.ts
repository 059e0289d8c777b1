import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { ClosedError, PerfError, QueueFullError, TimeoutError, isPerfError } from '../src/index.ts';

class DerivedError extends TimeoutError {
  override get name(): string {
    return 'DerivedError';
  }
}

describe('errors', () => {
  test('carry a name, a code, a message, a cause and their facts', () => {
    const cause = new Error('socket closed');
    const timeout = new TimeoutError('acquire timed out', {
      timeout: 50,
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
      cause,
    });
    expect(timeout).toMatchObject({ name: 'TimeoutError', code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT', timeout: 50, cause });
    expect(timeout).toBeInstanceOf(PerfError);
    expect(timeout).toBeInstanceOf(Error);
    expect(new TimeoutError('late', { timeout: 1 }).code).toBe('PERF_TIMEOUT');
    expect(new ClosedError('pool "db"')).toMatchObject({
      name: 'ClosedError',
      code: 'PERF_CLOSED',
      message: 'pool "db" is closed',
    });
    const full = new QueueFullError('queue', { pending: 8, limit: 8 });
    expect(full).toMatchObject({ name: 'QueueFullError', code: 'PERF_QUEUE_FULL', pending: 8, limit: 8 });
    expect(full.message).toBe('queue is full: 8 waiting, limit 8');
  });

  test('have no cause when none was given', () => {
    expect('cause' in new TimeoutError('late', { timeout: 1 })).toBe(false);
  });

  test('print under their own name, subclasses too', () => {
    const error = new DerivedError('late', { timeout: 1 });
    expect(String(error)).toBe('DerivedError: late');
    expect(error.stack).toMatch(/^DerivedError: late/);
    expect(Object.keys(error)).not.toContain('name');
  });

  test('are recognised by code across copies of the package', async () => {
    const source = '../src/errors.ts?another-copy';
    const copy = (await import(/* @vite-ignore */ source)) as { TimeoutError: typeof TimeoutError };
    const foreign = new copy.TimeoutError('late', { timeout: 1 });
    expect(foreign).not.toBeInstanceOf(TimeoutError);
    expect(isPerfError(foreign)).toBe(true);
    expect(isPerfError(foreign, 'PERF_TIMEOUT')).toBe(true);
    expect(isPerfError(foreign, 'PERF_CLOSED')).toBe(false);
  });

  test.each([
    null,
    undefined,
    'PERF_TIMEOUT',
    7,
    {},
    new Error('x'),
    { code: 'PERF_TIMEOUT' },
    runInNewContext('new Error("x")'),
  ])('does not take %o for one of ours', (value) => {
    expect(isPerfError(value)).toBe(false);
    expect(isPerfError(value, 'PERF_TIMEOUT')).toBe(false);
  });
});
