import { isNativeError } from 'node:util/types';

/** Whether `value` is an error, of this realm or another (a `vm` context, where `instanceof` says no). */
export function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && (value instanceof Error || isNativeError(value));
}
