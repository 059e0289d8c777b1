import { isPerfError } from '@perf/core';
import type { EncodedThrown } from './frame.ts';
import { KNOWN_ERRORS } from './known-errors.ts';

/** A chain of causes longer than this is cut: it may be a circle. */
const MAX_DEPTH = 8;

/** Whether a value can cross to the other side. */
export type CanCross = (value: unknown) => boolean;

/** Describes whatever was thrown, so that it can cross and be made again. Never throws. */
export function encodeThrown(thrown: unknown, canCross: CanCross, depth = 0): EncodedThrown {
  try {
    if (thrown instanceof Error) return encodeError(thrown, canCross, depth);
    if (canCross(thrown)) return { kind: 'value', value: thrown };
  } catch {
    // A proxy, or a getter that throws.
  }
  return encodeError(new TypeError(`a value that cannot be cloned was thrown: ${describe(thrown)}`), canCross, depth);
}

function encodeError(error: Error, canCross: CanCross, depth: number): EncodedThrown {
  const nested = (value: unknown): EncodedThrown => {
    if (depth < MAX_DEPTH) return encodeThrown(value, canCross, depth + 1);
    return { kind: 'value', value: describe(value) };
  };
  return {
    kind: 'error',
    className: String(error.constructor?.name ?? error.name),
    base: baseOf(error),
    name: String(error.name),
    message: String(error.message),
    stack: typeof error.stack === 'string' ? error.stack : undefined,
    properties: encodeProperties(error, canCross, nested),
    ...('cause' in error && { cause: nested(error.cause) }),
    ...(error instanceof AggregateError && { errors: Array.from(error.errors, nested) }),
  };
}

/** The enumerable own properties that can cross; `code` of Node's own errors is one of them. */
function encodeProperties(
  error: Error,
  canCross: CanCross,
  nested: (value: unknown) => EncodedThrown,
): Record<string, EncodedThrown> {
  const properties: Record<string, EncodedThrown> = {};
  for (const key of Object.keys(error)) {
    if (key === 'cause' || key === 'errors' || key === '__proto__') continue;
    try {
      const value: unknown = (error as unknown as Record<string, unknown>)[key];
      if (value instanceof Error || canCross(value)) properties[key] = nested(value);
    } catch {
      // A getter that throws: this property stays behind, the error crosses.
    }
  }
  return properties;
}

function baseOf(error: Error): string {
  if (error instanceof DOMException) return 'DOMException';
  if (isPerfError(error)) return 'PerfError';
  const known = KNOWN_ERRORS.find((each) => error instanceof each);
  return known?.name ?? 'Error';
}

function describe(value: unknown): string {
  try {
    if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
    return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
  } catch {
    return typeof value;
  }
}
