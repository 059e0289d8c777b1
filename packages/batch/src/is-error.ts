import { isNativeError } from 'node:util/types';

/** Whether `value` is an error, of this realm or another (a `vm` context, where `instanceof` says no). Never throws: a proxy that cannot be asked is none. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return value instanceof Error || isNativeError(value);
  } catch {
    return false;
  }
}
