/** Shared by every copy of this package in a process, where `instanceof` is not. */
const BRAND: unique symbol = Symbol.for('@perf/error');

/**
 * The base of every error the `@perf` packages raise for a failed operation.
 * Bad arguments are `RangeError` and `TypeError` instead; an abort rejects with `signal.reason` unchanged.
 */
export class PerfError extends Error {
  /** Stable, for programs to match on: `PERF_<PACKAGE>_<WHAT>`. Messages may change, codes do not. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  // A getter in each class, not `constructor.name`: minifiers rename classes, and programs match on names.
  override get name(): string {
    return 'PerfError';
  }

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }
}

/** What a {@link TimeoutError} reports. */
export interface TimeoutFacts extends ErrorOptions {
  /** The limit that ran out, in milliseconds. */
  readonly timeout: number;
  /** A package's own code. @default 'PERF_TIMEOUT' */
  readonly code?: string;
}

/** An operation did not finish within its time limit. */
export class TimeoutError extends PerfError {
  /** The limit that ran out, in milliseconds. */
  readonly timeout: number;

  constructor(message: string, facts: TimeoutFacts) {
    super(facts.code ?? 'PERF_TIMEOUT', message, facts);
    this.timeout = facts.timeout;
  }

  override get name(): string {
    return 'TimeoutError';
  }
}

/** Work was given to a component after its `close()`. */
export class ClosedError extends PerfError {
  constructor(component: string, code = 'PERF_CLOSED', options?: ErrorOptions) {
    super(code, `${component} is closed`, options);
  }

  override get name(): string {
    return 'ClosedError';
  }
}

/** What a {@link QueueFullError} reports. */
export interface QueueFullFacts extends ErrorOptions {
  /** How many were waiting when this one was refused. */
  readonly pending: number;
  /** How many may wait. */
  readonly limit: number;
  /** A package's own code. @default 'PERF_QUEUE_FULL' */
  readonly code?: string;
}

/** A bounded queue refused one more entry. */
export class QueueFullError extends PerfError {
  /** How many were waiting when this one was refused. */
  readonly pending: number;
  /** How many may wait. */
  readonly limit: number;

  constructor(component: string, facts: QueueFullFacts) {
    const message = `${component} is full: ${facts.pending} waiting, limit ${facts.limit}`;
    super(facts.code ?? 'PERF_QUEUE_FULL', message, facts);
    this.pending = facts.pending;
    this.limit = facts.limit;
  }

  override get name(): string {
    return 'QueueFullError';
  }
}

/**
 * Whether `error` comes from a `@perf` package (any copy or version of it), and has `code` when one is given.
 */
export function isPerfError(error: unknown, code?: string): error is PerfError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as Partial<PerfError>).code === code;
}
