import type { BatchContext } from '../../src/index.ts';
import { type Call, type History, type Op, mostSent, partsOf } from './history.ts';

/** A value for each key that holds one. */
export type State = Map<string, string>;

/** The key an operation has in the store. Where no order is kept, each operation has one of its own. */
export function keyOf({ order }: History, { key, id }: Op): string {
  return key === undefined || order === 'none' ? `free ${id}` : key;
}

/** What an operation does to a key, and what its callers get. */
export function apply(state: State, of: string, op: Op): string {
  if (op.kind === 'read') return state.get(of) ?? '';
  for (const id of partsOf(op)) {
    if (op.kind === 'delete') state.delete(of);
    else state.set(of, op.kind === 'write' ? `${id}` : `${state.get(of) ?? ''}+${id}`);
  }
  return resultOf(op);
}

/** What the callers of an operation that is no read get. */
export function resultOf(op: Op): string {
  return `${op.kind} ${partsOf(op).join(' ')}`;
}

/** A store that is slow, refuses operations, fails batches before or after it carried them out, hangs, and watches that the batches are as promised. */
export class Store {
  readonly state: State = new Map();
  /** In which order the operations were added. */
  readonly sequence = new Map<number, number>();
  /** How often each operation was sent, and carried out. */
  readonly sent = new Map<number, number>();
  readonly applied = new Map<number, number>();
  /** Operations the store did not carry out when they were sent last. */
  readonly refusedLast = new Set<number>();
  readonly problems: string[] = [];
  readonly #busy = new Set<string>();
  readonly #history: History;
  readonly #onCall: (call: number) => void;
  #running = 0;
  #calls = 0;

  constructor(history: History, onCall: (call: number) => void) {
    this.#history = history;
    this.#onCall = onCall;
  }

  execute = (ops: readonly Op[], context: BatchContext): Promise<(string | Error)[]> => {
    const number = this.#calls++;
    this.#check(ops, context);
    this.#onCall(number);
    for (const id of ops.flatMap(partsOf)) {
      this.sent.set(id, (this.sent.get(id) ?? 0) + 1);
      this.refusedLast.add(id);
    }
    const { calls } = this.#history;
    const call = calls[number % calls.length] as Call;
    if (call.fate === 'throw') throw new Error('threw');
    return this.#carryOut(ops, call, context.signal);
  };

  async #carryOut(ops: readonly Op[], { fate, latency }: Call, signal: AbortSignal): Promise<(string | Error)[]> {
    const keys = this.#enter(ops);
    // Whoever gave up on the batch may send the next.
    const leave = (): void => this.#leave(keys);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await sleep(latency / 2);
      if (fate === 'hang') await aborted(signal);
      // Work that went on after the batch was given up could take effect after later operations.
      if (signal.aborted) throw new Error('aborted');
      const results = fate === 'rejectBefore' ? [] : ops.map((op) => this.#one(op));
      await sleep(latency / 2);
      if (fate === 'nonsense') return results.slice(1);
      if (fate !== 'ok') throw new Error(fate);
      return results;
    } finally {
      leave();
    }
  }

  #enter(ops: readonly Op[]): Set<string> {
    const keys = new Set(ops.map((op) => keyOf(this.#history, op)));
    if (this.#history.order === 'strict') keys.add('everything');
    for (const key of keys) {
      if (this.#busy.has(key)) this.problems.push(`${key} is in two batches at once`);
      this.#busy.add(key);
    }
    this.#running++;
    if (this.#running > this.#history.concurrency) this.problems.push('too many batches at once');
    return keys;
  }

  #leave(keys: Set<string>): void {
    if (keys.size === 0) return;
    this.#running--;
    for (const key of keys) this.#busy.delete(key);
    keys.clear();
  }

  #one(op: Op): string | Error {
    const attempt = (this.sent.get(op.id) ?? 0) - 1;
    if (op.fates[attempt] === 'refuse') return new Error(`refused ${op.id}`);
    for (const id of partsOf(op)) {
      this.refusedLast.delete(id);
      this.applied.set(id, (this.applied.get(id) ?? 0) + 1);
    }
    return apply(this.state, keyOf(this.#history, op), op);
  }

  #check(ops: readonly Op[], { group, signal, attempt }: BatchContext): void {
    const { maxSize, maxBytes } = this.#history;
    const say = (wrong: boolean, problem: string): void => void (wrong && this.problems.push(problem));
    say(ops.length === 0, 'an empty batch');
    say(ops.length > maxSize, 'a batch of too many');
    say(ops.length > 1 && ops.reduce((sum, { size }) => sum + size, 0) > maxBytes, 'too many bytes');
    say(
      ops.some(({ size, parts }) => parts !== undefined && size > maxBytes),
      'merged into one too large',
    );
    say(
      ops.some(({ kind }) => kind !== group),
      'mixed groups',
    );
    say(new Set(ops).size < ops.length, 'an operation twice in a batch');
    const order = ops.map(({ id }) => this.sequence.get(id) ?? -1);
    say(
      order.some((each, index) => index > 0 && each < (order[index - 1] as number)),
      'out of submission order',
    );
    say(signal.aborted, 'a batch sent with its signal aborted');
    say(attempt > mostSent(this.#history), 'too many attempts');
    say(!Object.isFrozen(ops), 'an array that is not frozen');
    const parts = ops.flatMap(partsOf);
    say(new Set(parts).size < parts.length, 'merged twice');
    for (const id of parts) say((this.sent.get(id) ?? 0) !== attempt - 1, 'operations of different attempts');
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
