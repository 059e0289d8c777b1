import { constants } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BufferPool } from '../src/index.ts';

const doubleRelease = expect.objectContaining({ code: 'PERF_MEMORY_DOUBLE_RELEASE' }) as Error;
const foreignRelease = expect.objectContaining({ code: 'PERF_MEMORY_FOREIGN_RELEASE' }) as Error;

describe('BufferPool', () => {
  test('lends buffers of exactly the asked length, over memory that is used again', () => {
    const pool = new BufferPool();
    const first = pool.acquire(5_000);
    expect(Buffer.isBuffer(first)).toBe(true);
    expect(first.length).toBe(5_000);
    const memory = first.buffer;
    pool.release(first);
    const second = pool.acquire(4_999);
    expect(second.length).toBe(4_999);
    expect(second.buffer).toBe(memory);
    expect(pool.stats()).toMatchObject({ created: 1, reused: 1, lent: 1, lentBytes: 5_120, idle: 0, idleBytes: 0 });
  });

  test('two borrowers never share memory', () => {
    const pool = new BufferPool();
    expect(pool.acquire(100).buffer).not.toBe(pool.acquire(100).buffer);
  });

  test('a buffer is zeros, whatever the borrower before left in it', () => {
    const pool = new BufferPool();
    const first = pool.acquire(2_000).fill(7);
    const { buffer: memory } = first;
    pool.release(first);
    expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true);
    expect(pool.acquire(2_048).every((byte) => byte === 0)).toBe(true);
  });

  test("with zero 'never' a buffer keeps what was in it", () => {
    const pool = new BufferPool({ zero: 'never' });
    pool.release(pool.acquire(2_000).fill(7));
    expect(pool.acquire(2_000).every((byte) => byte === 7)).toBe(true);
  });

  test('a double release is an error even after the memory was lent again', () => {
    const pool = new BufferPool({ name: 'frames' });
    const first = pool.acquire(100);
    pool.release(first);
    expect(() => pool.release(first)).toThrow(doubleRelease);
    const second = pool.acquire(100);
    expect(second.buffer).toBe(first.buffer);
    expect(() => pool.release(first)).toThrow(doubleRelease);
    expect(pool.acquire(100).buffer).not.toBe(second.buffer);
  });

  test('a slice, a plain buffer and another pool`s buffer are foreign', () => {
    const pool = new BufferPool();
    const buffer = pool.acquire(100);
    for (const foreign of [buffer.subarray(0), Buffer.alloc(100), new BufferPool().acquire(100), null, undefined]) {
      expect(() => pool.release(foreign as Buffer)).toThrow(foreignRelease);
    }
    expect(pool.stats()).toMatchObject({ lent: 1, idle: 0 });
  });

  test('keeps no more than maxBytes', () => {
    const pool = new BufferPool({ maxBytes: 4_096 });
    const buffers = Array.from({ length: 10 }, () => pool.acquire(1_024));
    for (const buffer of buffers) pool.release(buffer);
    expect(pool.stats()).toMatchObject({ idle: 4, idleBytes: 4_096, discarded: 6, lent: 0, lentBytes: 0 });
  });

  test('a request above maxBufferSize is served and not kept', () => {
    const pool = new BufferPool({ maxBufferSize: 4_096 });
    pool.release(pool.acquire(4_097));
    expect(pool.stats()).toMatchObject({ oversized: 1, created: 1, idle: 0, discarded: 1, lentBytes: 0 });
  });

  test('an oversized request as large as a size class keeps the bytes right', () => {
    const pool = new BufferPool({ maxBufferSize: 4_000, minBufferSize: 8 });
    pool.release(pool.acquire(4_000));
    const oversized = pool.acquire(4_096);
    pool.release(oversized);
    expect(pool.stats()).toMatchObject({ oversized: 1, lentBytes: 0 });
    expect(pool.stats().idleBytes).toBe(pool.stats().classes.reduce((sum, each) => sum + each.idle * each.capacity, 0));
  });

  test('memory that was transferred away is not kept', () => {
    const pool = new BufferPool();
    const buffer = pool.acquire(1_000);
    structuredClone(buffer.buffer, { transfer: [buffer.buffer as ArrayBuffer] });
    expect(buffer.length).toBe(0);
    pool.release(buffer);
    expect(pool.stats()).toMatchObject({ lent: 0, lentBytes: 0, idle: 0, idleBytes: 0, discarded: 1 });
    expect(pool.acquire(1_000).length).toBe(1_000);
  });

  test('an empty buffer is a buffer', () => {
    const pool = new BufferPool();
    const empty = pool.acquire(0);
    expect(empty.length).toBe(0);
    pool.release(empty);
    expect(pool.stats()).toMatchObject({ lent: 0, idle: 1 });
  });

  test('trims what a burst left within two cycles', () => {
    const pool = new BufferPool();
    const burst = Array.from({ length: 10 }, () => pool.acquire(1_024));
    for (const buffer of burst) pool.release(buffer);
    pool.trim();
    pool.release(pool.acquire(1_024));
    expect(pool.trim()).toBe(9);
    expect(pool.stats()).toMatchObject({ idle: 1, idleBytes: 1_024 });
  });

  test('use releases after a result, a throw and a promise', async () => {
    const pool = new BufferPool();
    expect(pool.use(10, (buffer) => buffer.length)).toBe(10);
    expect(() =>
      pool.use(10, () => {
        throw new Error('boom');
      }),
    ).toThrow('boom');
    await expect(pool.use(10, async (buffer) => buffer.length)).resolves.toBe(10);
    await expect(pool.use(10, () => Promise.reject(new Error('late')))).rejects.toThrow('late');
    expect(() => pool.use(10, (buffer) => pool.release(buffer))).toThrow(doubleRelease);
    expect(pool.stats()).toMatchObject({ lent: 0, idle: 1, created: 1 });
  });

  test('close frees the memory and keeps none that comes back', async () => {
    const pool = new BufferPool();
    const out = pool.acquire(10);
    pool.release(pool.acquire(10));
    await pool.close();
    await pool.close();
    pool.release(out);
    expect(pool.stats()).toMatchObject({ idle: 0, idleBytes: 0, lent: 0, discarded: 2 });
    expect(() => pool.acquire(1)).toThrow(expect.objectContaining({ code: 'PERF_MEMORY_CLOSED' }));
  });

  test.each([-1, 1.5, NaN, constants.MAX_LENGTH + 1, '5', undefined])('a size of %o is refused', (size) => {
    const pool = new BufferPool();
    expect(() => pool.acquire(size as number)).toThrow(/`size` must be/);
    expect(pool.stats()).toMatchObject({ lent: 0, created: 0 });
  });

  test.each([
    [{ maxBytes: 0 }, '`maxBytes` must be a positive integer or Infinity, got 0'],
    [{ minBufferSize: 4 }, '`minBufferSize` must be a number from 8 to 1073741824, got 4'],
    [
      { minBufferSize: 2_000, maxBufferSize: 1_000 },
      '`maxBufferSize` must be a number from 2000 to 1073741824, got 1000',
    ],
    [{ zero: 'acquire' }, "`zero` must be one of 'release', 'never', got \"acquire\""],
    [{ size: 4 }, 'BufferPool has no option `size`'],
  ])('%o is refused', (options, message) => {
    expect(() => new BufferPool(options as never)).toThrow(message);
  });
});

test('whatever is done, the bytes add up and no memory has two borrowers', () => {
  const step = fc.oneof(
    fc.record({ acquire: fc.integer({ min: 0, max: 9_000 }) }),
    fc.record({ release: fc.nat() }),
    fc.record({ free: fc.constantFrom('trim' as const, 'clear' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new BufferPool({ maxBytes: 10_000, maxBufferSize: 8_000 });
      const lent: Buffer[] = [];
      for (const each of steps) {
        if ('acquire' in each) {
          const buffer = pool.acquire(each.acquire);
          expect(buffer.every((byte) => byte === 0)).toBe(true);
          expect(lent.some((other) => other.buffer === buffer.buffer)).toBe(false);
          lent.push(buffer.fill(1));
        } else if ('release' in each) {
          const [buffer] = lent.splice(each.release % (lent.length || 1), 1);
          if (buffer !== undefined) pool.release(buffer);
        } else pool[each.free]();
        const stats = pool.stats();
        expect(stats.lent).toBe(lent.length);
        expect(stats.lentBytes).toBe(lent.reduce((sum, buffer) => sum + buffer.buffer.byteLength, 0));
        expect(stats.idleBytes).toBeLessThanOrEqual(10_000);
        expect(stats.idleBytes).toBe(stats.classes.reduce((sum, one) => sum + one.capacity * one.idle, 0));
        expect(stats.created).toBe(stats.idle + stats.lent + stats.discarded);
      }
    }),
  );
});
