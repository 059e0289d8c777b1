import { DurableFailedError, DurableSerializationError } from './durable-errors.ts';

/** An error as it is kept in Redis. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
}

/** How an operation came out, as it is kept in Redis under its idempotency key. */
export type DurableRecord =
  | { readonly s: 'ok'; readonly v?: unknown }
  /** Executed, but its result is no JSON, or too large. */
  | { readonly s: 'lost'; readonly m: string }
  | { readonly s: 'dead'; readonly e: StoredError; readonly n: number };

/** Writes the record of an operation that was executed. */
export function successRecord(value: unknown, maxBytes: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    return lost(storeError(error).message);
  }
  if (json === undefined) return value === undefined ? '{"s":"ok"}' : lost(`it is a ${typeof value}`);
  const bytes = Buffer.byteLength(json);
  return bytes > maxBytes ? lost(`it takes ${bytes} bytes, limit ${maxBytes}`) : `{"s":"ok","v":${json}}`;
}

function lost(problem: string): string {
  return JSON.stringify({ s: 'lost', m: problem } satisfies DurableRecord);
}

/** Writes the record of an operation that failed for good. */
export function deadRecord(error: StoredError, attempts: number): string {
  return JSON.stringify({ s: 'dead', e: error, n: attempts } satisfies DurableRecord);
}

/** What the caller of `add` gets: the value, or a throw. */
export function readRecord(key: string, json: string): unknown {
  const record = JSON.parse(json) as DurableRecord;
  if (record.s === 'ok') return record.v;
  if (record.s === 'lost') throw new DurableSerializationError({ key, part: 'result' }, record.m);
  throw new DurableFailedError(key, record.n, revive(record.e));
}

/** The most characters of a text of an error that are kept: some quote all they were sent. */
const LONGEST = 10_000;

/** Never throws, whatever was thrown. */
export function storeError(thrown: unknown): StoredError {
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: 'Error', message: describe(thrown) };
  }
  const code = textOf(thrown, 'code');
  const stack = textOf(thrown, 'stack');
  return {
    name: textOf(thrown, 'name') ?? 'Error',
    message: textOf(thrown, 'message') ?? describe(thrown),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
  };
}

function textOf(thrown: object, property: 'name' | 'message' | 'code' | 'stack'): string | undefined {
  try {
    const text: unknown = (thrown as Partial<Record<typeof property, unknown>>)[property];
    return typeof text === 'string' ? shorten(text) : undefined;
  } catch {
    return undefined;
  }
}

function describe(thrown: unknown): string {
  try {
    return shorten(String(thrown));
  } catch {
    return `something of type ${typeof thrown} was thrown`;
  }
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** An error like the stored one: its class is not known here. */
export function revive({ name, message, code, stack }: StoredError): Error {
  const error = new Error(message);
  for (const [key, value] of Object.entries({ name, code, stack })) {
    if (value !== undefined) Object.defineProperty(error, key, { value, configurable: true, writable: true });
  }
  return error;
}
