import type { Clock } from './clock.ts';

/** Renders a bad value for an error message: short, and never throwing itself. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return Object.is(value, -0) ? '-0' : String(value);
}

function complaint(name: string, rule: string, value: unknown): string {
  return `\`${name}\` must be ${rule}, got ${show(value)}`;
}

/** A number out of range is a `RangeError`; what is no number at all is a `TypeError`. */
function refuse(name: string, rule: string, value: unknown): never {
  if (typeof value === 'number') throw new RangeError(complaint(name, rule, value));
  refuseType(name, rule, value);
}

function refuseType(name: string, rule: string, value: unknown): never {
  throw new TypeError(complaint(name, rule, value));
}

/** Throws unless `value` is an integer from 1 to 2^53 - 1. Returns it. */
export function checkPositiveInteger(name: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) refuse(name, 'a positive integer', value);
  return value as number;
}

/** Like {@link checkPositiveInteger}, and `Infinity` (no limit) is allowed too. */
export function checkLimit(name: string, value: unknown): number {
  if (value === Infinity) return Infinity;
  if (!Number.isSafeInteger(value) || (value as number) < 1) refuse(name, 'a positive integer or Infinity', value);
  return value as number;
}

/** Throws unless `value` is an integer from 0 to 2^53 - 1. Returns it. */
export function checkCount(name: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) refuse(name, 'a non-negative integer', value);
  return value as number;
}

/** Throws unless `value` is a number of milliseconds above 0, or `Infinity` for never. Returns it. */
export function checkDuration(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value > 0)) {
    refuse(name, 'a positive number of milliseconds or Infinity', value);
  }
  return value;
}

/** Throws unless `value` is a finite number from `min` to `max`, both included. Returns it. */
export function checkRange(
  name: string,
  value: unknown,
  range: { readonly min: number; readonly max: number },
): number {
  if (typeof value !== 'number' || !(value >= range.min && value <= range.max) || !Number.isFinite(value)) {
    refuse(name, `a number from ${range.min} to ${range.max}`, value);
  }
  return value;
}

/** Throws a `TypeError` unless `value` is a boolean. Returns it. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') refuseType(name, 'a boolean', value);
  return value;
}

/** Throws a `TypeError` unless `value` is a string of at least one character. Returns it. */
export function checkName(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') refuseType(name, 'a non-empty string', value);
  return value;
}

/** Throws a `TypeError` unless `value` is a function. Returns it. */
export function checkFunction<F>(name: string, value: F): F {
  if (typeof value !== 'function') refuseType(name, 'a function', value);
  return value;
}

/**
 * Throws a `TypeError` unless `value` can tell of an abort. Returns it. By its methods, not its class: a test environment may have an
 * `AbortSignal` of its own.
 */
export function checkSignal(name: string, value: AbortSignal): AbortSignal {
  if (typeof value?.addEventListener !== 'function' || typeof value.throwIfAborted !== 'function') {
    refuseType(name, 'an AbortSignal', value);
  }
  return value;
}

/** Throws a `TypeError` unless `value` can tell the time. Returns it. */
export function checkClock(name: string, value: Clock): Clock {
  if (typeof value?.now !== 'function') refuseType(name, 'an object with a method `now`', value);
  return value;
}

/** Throws a `TypeError` unless `value` is one of `allowed`. Returns it. */
export function checkOneOf<const T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) {
    refuseType(name, `one of ${allowed.map((each) => `'${each}'`).join(', ')}`, value);
  }
  return value as T;
}

/**
 * Throws a `TypeError` unless `options` is an object whose keys are all among `known`:
 * a misspelt option would otherwise be ignored in silence.
 */
export function checkOptions(component: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${component} takes an options object, got ${show(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new TypeError(`${component} has no option \`${key}\`; it knows ${known.join(', ')}`);
  }
}
