import { checkLimit, checkName, checkOneOf, checkOptions, checkPositiveInteger, checkRange } from '@perf/core';

/** Options of {@link BufferPool}. */
export interface BufferPoolOptions {
  /** Bytes of idle memory to keep, `Infinity` for no bound. @default 16 MiB */
  readonly maxBytes?: number | undefined;
  /** Smaller requests get memory of this size, in bytes, from 8 to 2^30. @default 1024 */
  readonly minBufferSize?: number | undefined;
  /** Larger requests are allocated and not kept; in bytes, up to 2^30. @default 1 MiB */
  readonly maxBufferSize?: number | undefined;
  /** Whether a buffer is filled with zeros when it comes back, or keeps what was in it for the next borrower to see. @default 'release' */
  readonly zero?: 'release' | 'never' | undefined;
  /** Names the pool in errors and metrics; a pool without a name exports no metrics. */
  readonly name?: string | undefined;
}

/** The options as checked, defaults filled in. */
export interface CheckedBufferPoolOptions {
  readonly maxBytes: number;
  readonly minBufferSize: number;
  readonly maxBufferSize: number;
  readonly zero: 'release' | 'never';
}

const KNOWN = ['maxBytes', 'minBufferSize', 'maxBufferSize', 'zero', 'name'] as const;
const MIB = 2 ** 20;

export function checkBufferPoolOptions(options: BufferPoolOptions): CheckedBufferPoolOptions {
  checkOptions('BufferPool', options, KNOWN);
  const { maxBytes = 16 * MIB, minBufferSize = 1024, maxBufferSize = MIB, zero = 'release', name } = options;
  checkLimit('maxBytes', maxBytes);
  checkPositiveInteger('minBufferSize', checkRange('minBufferSize', minBufferSize, { min: 8, max: 2 ** 30 }));
  checkPositiveInteger(
    'maxBufferSize',
    checkRange('maxBufferSize', maxBufferSize, { min: minBufferSize, max: 2 ** 30 }),
  );
  checkOneOf('zero', zero, ['release', 'never']);
  if (name !== undefined) checkName('name', name);
  return { maxBytes, minBufferSize, maxBufferSize, zero };
}
