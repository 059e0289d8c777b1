import { checkOptions, checkPositiveInteger } from '@perf/core';
import type { RangeOutcome, RangeWork } from './run-ranges.ts';
import { type RangePlan, createCursor, exhaust } from './range-claims.ts';

/** What one range came to. */
export interface RangeResult<R> {
  readonly start: number;
  readonly end: number;
  readonly value: R;
}

/** What a function that is called by `mapRange` is given: it is to work on the elements from `start` up to, not including, `end`. */
export interface RangeTask<D = unknown> {
  readonly data: D;
  readonly start: number;
  readonly end: number;
}

/** A typed array whose memory every thread sees. */
export type SharedView = ArrayBufferView<SharedArrayBuffer> & { readonly length: number };

/** Checks what is to be divided and returns how. @throws RangeError, TypeError */
export function planRanges(
  data: SharedView | Readonly<Record<string, unknown>>,
  options: { readonly length: number | undefined; readonly grain: number | undefined; readonly workers: number },
): RangePlan {
  const { grain = 1, workers } = options;
  checkPositiveInteger('grain', grain);
  const length = options.length ?? lengthOf(data);
  if (!Number.isSafeInteger(length) || length < 0)
    throw new RangeError(`\`length\` must be a non-negative integer, got ${length}`);
  return { length, grain, workers };
}

/** Of one array, its own length; of several in an object, that of all of them, which must be the same. */
function lengthOf(data: unknown): number {
  if (ArrayBuffer.isView(data)) return sharedLength('data', data);
  checkOptions('mapRange()', data, Object.keys(Object(data) as object));
  const lengths = Object.entries(data as Readonly<Record<string, unknown>>)
    .filter(([, value]) => ArrayBuffer.isView(value))
    .map(([key, value]) => sharedLength(`data.${key}`, value as ArrayBufferView));
  const [first] = lengths;
  if (first === undefined) throw new TypeError('`data` must be a typed array over shared memory, or an object of such');
  if (lengths.some((length) => length !== first)) {
    throw new RangeError('the arrays in `data` must be of the same length, or `length` be given');
  }
  return first;
}

function sharedLength(name: string, view: ArrayBufferView): number {
  if (!(view.buffer instanceof SharedArrayBuffer)) {
    throw new TypeError(`\`${name}\` must lie in a SharedArrayBuffer: \`toShared(array)\` copies it there, once`);
  }
  return (view as unknown as { readonly length?: number }).length ?? view.byteLength;
}

/** Runs a plan with `run`, which has one worker take part, and puts the results in order. */
export async function runPlan<R>(
  data: unknown,
  plan: RangePlan,
  run: (work: RangeWork) => Promise<unknown>,
): Promise<RangeResult<R>[]> {
  if (plan.length === 0) return [];
  const work: RangeWork = { data, plan, cursor: createCursor() };
  const parts = await allOrFirstFailure(Array.from({ length: plan.workers }, () => runPart(work, run)));
  return parts
    .flatMap((part) => part as RangeOutcome[])
    .toSorted(([one], [other]) => one - other)
    .map(([start, end, value]) => ({ start, end, value: value as R }));
}

/** A worker that fails by itself keeps the others from claiming more; one that ends cannot. */
async function runPart(work: RangeWork, run: (work: RangeWork) => Promise<unknown>): Promise<unknown> {
  try {
    return await run(work);
  } catch (error) {
    exhaust(work.cursor, work.plan);
    throw error;
  }
}

/** Waits for all of them even if one fails: nobody writes to the data after this. */
async function allOrFirstFailure(parts: Promise<unknown>[]): Promise<unknown[]> {
  await Promise.allSettled(parts);
  return Promise.all(parts);
}

type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** The same class of array over shared memory. */
export type SharedCopy<A> = A extends Int8Array
  ? Int8Array<SharedArrayBuffer>
  : A extends Uint8Array
    ? Uint8Array<SharedArrayBuffer>
    : A extends Uint8ClampedArray
      ? Uint8ClampedArray<SharedArrayBuffer>
      : A extends Int16Array
        ? Int16Array<SharedArrayBuffer>
        : A extends Uint16Array
          ? Uint16Array<SharedArrayBuffer>
          : A extends Int32Array
            ? Int32Array<SharedArrayBuffer>
            : SharedCopyOfWide<A>;

type SharedCopyOfWide<A> = A extends Uint32Array
  ? Uint32Array<SharedArrayBuffer>
  : A extends Float32Array
    ? Float32Array<SharedArrayBuffer>
    : A extends Float64Array
      ? Float64Array<SharedArrayBuffer>
      : A extends BigInt64Array
        ? BigInt64Array<SharedArrayBuffer>
        : A extends BigUint64Array
          ? BigUint64Array<SharedArrayBuffer>
          : never;

/** A copy of a typed array in memory that can be shared with workers, for `mapRange`. */
export function toShared<A extends TypedArray>(array: A): SharedCopy<A> {
  if (!ArrayBuffer.isView(array) || array instanceof DataView) throw new TypeError('`array` must be a typed array');
  const Class = array.constructor as unknown as new (buffer: SharedArrayBuffer) => SharedCopy<A>;
  const shared = new Class(new SharedArrayBuffer(array.byteLength));
  (shared as unknown as Uint8Array).set(array as Uint8Array);
  return shared;
}
