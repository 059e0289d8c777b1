import { checkName, checkOptions, checkPositiveInteger } from '@perf/core';
import type { OnCallbackError } from './error-reporter.ts';
import { checkSyncFunction } from './sync-callback.ts';

/** Options of {@link ObjectPool}. All callbacks are synchronous. */
export interface ObjectPoolOptions<T extends object> {
  /** How many idle objects to keep; one more that comes back is disposed of. @default 64 */
  readonly maxSize?: number | undefined;
  /** Cleans an object that comes back, before it is kept. When it throws, the object is disposed of instead. */
  readonly reset?: ((object: T) => void) | undefined;
  /** Whether an idle object may be lent again; anything but `true`, or throwing, disposes of it. */
  readonly validate?: ((object: T) => boolean) | undefined;
  /** Called once with each object the pool lets go of. */
  readonly dispose?: ((object: T) => void) | undefined;
  /** Hears what `reset`, `validate` and `dispose` throw. @default one process warning for the first */
  readonly onError?: OnCallbackError | undefined;
  /** Names the pool in errors and metrics; a pool without a name exports no metrics. */
  readonly name?: string | undefined;
}

const KNOWN = ['maxSize', 'reset', 'validate', 'dispose', 'onError', 'name'] as const;

/** The options as checked: `maxSize` filled in. */
export interface CheckedObjectPoolOptions<T extends object> extends ObjectPoolOptions<T> {
  readonly maxSize: number;
}

export function checkObjectPoolOptions<T extends object>(options: ObjectPoolOptions<T>): CheckedObjectPoolOptions<T> {
  checkOptions('ObjectPool', options, KNOWN);
  const { maxSize = 64, reset, validate, dispose, onError, name } = options;
  checkPositiveInteger('maxSize', maxSize);
  if (reset !== undefined) checkSyncFunction('reset', reset);
  if (validate !== undefined) checkSyncFunction('validate', validate);
  if (dispose !== undefined) checkSyncFunction('dispose', dispose);
  if (name !== undefined) checkName('name', name);
  return { maxSize, reset, validate, dispose, onError, name };
}
