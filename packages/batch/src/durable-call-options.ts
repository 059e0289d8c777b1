import { checkName, checkOptions, checkSignal } from '@perf/core';

/** Options of the methods that only wait. */
export interface DurableWaitOptions {
  /** Stops waiting, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link DurableBatcher.add} and {@link DurableBatcher.enqueue}. */
export interface DurableAddOptions {
  /**
   * Stops waiting, with `signal.reason`. An operation nobody waits for any more is not sent, if it has not been yet; one that has been sent is executed.
   */
  readonly signal?: AbortSignal | undefined;
  /** What makes the operation the same when it is added again, by any process. @default the option `idempotencyKey`, or a random one */
  readonly idempotencyKey?: string | undefined;
}

/** Options of {@link DurableBatcher.close}. */
export interface DurableCloseOptions {
  /** How long to wait for what is not in Redis yet, in milliseconds. @default Infinity */
  readonly timeout?: number | undefined;
}

/** The signal of a method that only waits. Throws its reason when it has aborted. */
export function waitSignal(method: string, options: DurableWaitOptions): AbortSignal | undefined {
  checkOptions(method, options, ['signal']);
  return live(options.signal);
}

/** The options of an operation that is added. Throws the reason of its signal when it has aborted. */
export function addOptions(options: DurableAddOptions): DurableAddOptions {
  checkOptions('add', options, ['signal', 'idempotencyKey']);
  live(options.signal);
  if (options.idempotencyKey !== undefined) checkName('idempotencyKey', options.idempotencyKey);
  return options;
}

/** The idempotency keys of a set of operations. One by itself is a string, whose letters would be taken for keys. */
export function checkKeys(keys: Iterable<string>): readonly string[] {
  if (typeof keys === 'string') throw new TypeError('`idempotencyKeys` must be an iterable of keys, got one key');
  const all = [...keys];
  for (const key of all) checkName('idempotencyKey', key);
  return all;
}

function live(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined) checkSignal('signal', signal).throwIfAborted();
  return signal;
}
