import { isPerfError } from '@perf/core';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type BatchContext, Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';

/*
 * Random histories against a store that is slow, refuses operations, fails batches before or after it carried them out, and answers late.
 *
 * The sequential model: for each ordering key, replay in program order the operations the store has carried out at least once. Every result a
 * caller was given, and the state the store ends in, must be what that replay gives. One freedom is left: an operation that was carried out
 * in one attempt, and refused in its last, may or may not count; its caller was told that it failed.
 */

useFakeTime();

interface Op {
  readonly id: number;
  readonly kind: 'read' | 'write' | 'append' | 'delete';
  readonly key: string | undefined;
  readonly size: number;
  /** What the store does at each attempt of this operation; 'ok' once the list is at its end. */
  readonly fates: readonly ('ok' | 'refuse')[];
  /** When it is added, in milliseconds. */
  readonly at: number;
  /** When its caller gives up, in milliseconds after that. */
  readonly abortAfter: number | undefined;
}

interface Call {
  readonly latency: number;
  readonly fate: 'ok' | 'rejectBefore' | 'rejectAfter' | 'throw' | 'nonsense';
}

const opArbitrary = fc.record({
  kind: fc.constantFrom('read', 'write', 'write', 'append', 'append', 'delete'),
  key: fc.option(fc.constantFrom('a', 'a', 'b', 'c'), { nil: undefined, freq: 8 }),
  size: fc.integer({ min: 0, max: 6 }),
  fates: fc.oneof(fc.constant([]), fc.array(fc.constantFrom('ok', 'refuse'), { maxLength: 2 })),
  at: fc.oneof(fc.constantFrom(0, 10), fc.integer({ min: 0, max: 30 })),
  abortAfter: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined, freq: 3 }),
} as const);

const callArbitrary = fc.record({
  latency: fc.integer({ min: 0, max: 12 }),
  fate: fc.oneof(
    { weight: 6, arbitrary: fc.constant('ok') },
    { weight: 1, arbitrary: fc.constantFrom('rejectBefore', 'rejectAfter', 'throw', 'nonsense') },
  ),
} as const) as fc.Arbitrary<Call>;

const configArbitrary = fc.record({
  maxSize: fc.integer({ min: 1, max: 5 }),
  maxBytes: fc.constantFrom(Infinity, 5, 9),
  linger: fc.constantFrom(undefined, undefined, 3, 40),
  concurrency: fc.integer({ min: 1, max: 4 }),
  attempts: fc.integer({ min: 1, max: 3 }),
  share: fc.boolean(),
  flushAt: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 2 }),
});

/** A value for each key that holds one. */
type State = Map<string, string>;

function keyOf({ key, id }: Op): string {
  return key ?? `free ${id}`;
}

/** What an operation does to a key, and what its caller gets. */
function apply(state: State, op: Op): string {
  const { kind, id } = op;
  const of = keyOf(op);
  const before = state.get(of) ?? '';
  if (kind === 'read') return before;
  if (kind === 'delete') state.delete(of);
  else state.set(of, kind === 'write' ? `${id}` : `${before}+${id}`);
  return `${kind} ${id}`;
}

class Store {
  readonly #state: State = new Map();
  readonly applied = new Map<number, number>();
  /** Operations the store did not carry out when they were sent last. */
  readonly refusedLast = new Set<number>();
  readonly problems: string[] = [];
  readonly #busy = new Map<string, number>();
  readonly #attempts = new Map<number, number>();
  readonly #calls: readonly Call[];
  readonly #limits: { readonly maxSize: number; readonly maxBytes: number; readonly concurrency: number };
  #running = 0;
  #call = 0;

  constructor(calls: readonly Call[], limits: { maxSize: number; maxBytes: number; concurrency: number }) {
    this.#calls = calls;
    this.#limits = limits;
  }

  execute = (ops: readonly Op[], context: BatchContext): Promise<(string | Error)[]> => {
    this.#check(ops, context);
    for (const { id } of ops) this.refusedLast.add(id);
    const { fate, latency } = this.#calls[this.#call++ % this.#calls.length]!;
    if (fate === 'throw') throw new Error('threw');
    return this.#carryOut(ops, fate, latency);
  };

  valueFor(op: Op): string | undefined {
    return this.#state.get(keyOf(op));
  }

  async #carryOut(ops: readonly Op[], fate: Call['fate'], latency: number): Promise<(string | Error)[]> {
    const keys = new Set(ops.map(({ key }) => key).filter((key) => key !== undefined));
    this.#running++;
    if (this.#running > this.#limits.concurrency) this.problems.push('too many batches at once');
    for (const key of keys) {
      if (this.#busy.has(key)) this.problems.push(`key ${key} in two batches at once`);
      this.#busy.set(key, 1);
    }
    await new Promise((resolve) => setTimeout(resolve, latency / 2));
    const results = fate === 'rejectBefore' ? [] : ops.map((op) => this.#one(op));
    await new Promise((resolve) => setTimeout(resolve, latency / 2));
    for (const key of keys) this.#busy.delete(key);
    this.#running--;
    if (fate === 'nonsense') return results.slice(1);
    if (fate !== 'ok') throw new Error(fate);
    return results;
  }

  #one(op: Op): string | Error {
    const attempt = this.#attempts.get(op.id) ?? 0;
    this.#attempts.set(op.id, attempt + 1);
    if (op.fates[attempt] === 'refuse') return new Error(`refused ${op.id}`);
    this.refusedLast.delete(op.id);
    this.applied.set(op.id, (this.applied.get(op.id) ?? 0) + 1);
    return apply(this.#state, op);
  }

  #check(ops: readonly Op[], { group }: BatchContext): void {
    const { maxSize, maxBytes } = this.#limits;
    if (ops.length === 0) this.problems.push('an empty batch');
    if (ops.length > maxSize) this.problems.push('a batch of too many');
    if (ops.length > 1 && ops.reduce((sum, { size }) => sum + size, 0) > maxBytes) this.problems.push('too many bytes');
    if (ops.some(({ kind }) => kind !== group)) this.problems.push('mixed groups');
    if (ops.some(({ id }, index) => index > 0 && id < ops[index - 1]!.id))
      this.problems.push('out of submission order');
  }
}

/** Writes and deletes can be repeated, appends cannot. */
const isIdempotent = ({ kind }: Op): boolean => kind !== 'append';

test('every history comes out as the sequential model says', async () => {
  const history = fc.array(opArbitrary, { minLength: 1, maxLength: 40 });
  const calls = fc.array(callArbitrary, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(history, calls, configArbitrary, async (drawn, plan, config) => {
      const store = new Store(plan, config);
      const batcher = new Batcher<Op, string>({
        execute: store.execute,
        maxSize: config.maxSize,
        maxBytes: config.maxBytes,
        sizeOf: ({ size }) => size,
        linger: config.linger,
        concurrency: config.concurrency,
        groupBy: ({ kind }) => kind,
        orderingKey: ({ key }) => key,
        dedupeKey: config.share ? ({ kind, key }) => (kind === 'read' ? key : undefined) : undefined,
        retry: { attempts: config.attempts, baseDelay: 8, isIdempotent },
      });
      const ops = drawn.toSorted((a, b) => a.at - b.at).map((op, id): Op => ({ ...op, id }));
      const outcomes: Outcome[] = ops.map(() => undefined);
      for (const op of ops) setTimeout(() => addTo(batcher, op, outcomes), op.at);
      for (const at of config.flushAt) setTimeout(() => void batcher.flush(), at);
      await vi.advanceTimersByTimeAsync(31);
      const closing = batcher.close();
      await vi.runAllTimersAsync();

      expect(await closing).toEqual({ unsent: [], unknown: [] });
      expect(store.problems).toEqual([]);
      expectModel(ops, outcomes, store);
      const stats = batcher.stats();
      expect(stats).toMatchObject({ pending: 0, inFlight: 0, groups: 0, orderingKeys: 0 });
      expect(stats.succeeded + stats.failed + stats.withdrawn).toBe(stats.added);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 600 },
  );
});

function addTo(batcher: Batcher<Op, string>, op: Op, outcomes: Outcome[]): void {
  const controller = op.abortAfter === undefined ? undefined : new AbortController();
  if (controller !== undefined) setTimeout(() => controller.abort('given up'), op.abortAfter);
  void Promise.allSettled([batcher.add(op, { signal: controller?.signal })]).then(([outcome]) => {
    expect(outcomes[op.id]).toBeUndefined();
    outcomes[op.id] = outcome;
  });
}

type Outcome = PromiseSettledResult<string> | undefined;
type Outcomes = readonly Outcome[];

function expectModel(ops: readonly Op[], outcomes: Outcomes, store: Store): void {
  for (const op of ops) {
    const times = store.applied.get(op.id) ?? 0;
    const outcome = outcomes[op.id];
    if (op.kind === 'append') expect(times).toBeLessThanOrEqual(1);
    if (outcome?.status !== 'fulfilled') expectFailure(outcome, op, times);
    // A read may have been carried out as the one whose execution it shared.
    else if (op.kind !== 'read') expect(times).toBeGreaterThanOrEqual(1);
  }
  for (const ofKey of Map.groupBy(ops, keyOf).values()) {
    expect(possibleEnds(ofKey, outcomes, store)).toContainEqual(store.valueFor(ofKey[0]!));
  }
}

/** What a key may hold after a replay of its operations that gives every caller the result it was given. */
function possibleEnds(ops: readonly Op[], outcomes: Outcomes, store: Store): (string | undefined)[] {
  let states: State[] = [new Map()];
  for (const op of ops) {
    const outcome = outcomes[op.id];
    if (outcome?.status === 'fulfilled') {
      states = states.filter((state) => apply(state, op) === outcome.value);
    } else if (store.applied.has(op.id)) {
      const without = store.refusedLast.has(op.id) ? states.map((state) => new Map(state)) : [];
      for (const state of states) apply(state, op);
      states = [...states, ...without];
    }
  }
  return states.map((state) => state.get(keyOf(ops[0]!)));
}

/** A caller who was told nothing of an unknown outcome may rely on the operation not having taken effect. */
function expectFailure(outcome: PromiseRejectedResult | undefined, op: Op, times: number): void {
  const reason: unknown = outcome?.reason;
  if (reason === 'given up') {
    expect(op.abortAfter).toBeDefined();
  } else if (reason instanceof Error && reason.message === `refused ${op.id}`) {
    // Refused at last; an earlier attempt with an unknown outcome can only have been of an operation that may be repeated.
    if (times > 0) expect(isIdempotent(op)).toBe(true);
  } else if (reason instanceof Error && /^(?:rejectBefore|rejectAfter|threw)$/.test(reason.message)) {
    // Found by bisecting, which sends only what may be repeated.
    expect(isIdempotent(op)).toBe(true);
  } else if (!isPerfError(reason, 'PERF_BATCH_FAILED') && !isPerfError(reason, 'PERF_BATCH_RESULT')) {
    // A shared read may have been refused under the name of the one it shared.
    expect(op.kind).toBe('read');
    expect(String(reason)).toMatch(/^Error: refused \d+$/);
  }
}
