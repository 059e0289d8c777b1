import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type BatchContext, Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';

/*
 * Random histories with operations that make their whole batch fail, against a store that counts how often it carries out each.
 *
 * The sequential model: for each key, replay in program order what the store has carried out at least once. Every result given, and the state
 * the store ends in, must be what that gives. One freedom: an operation carried out in one attempt and not in its last, whose
 * caller was told that it failed, may or may not count.
 */

useFakeTime();

interface Op {
  readonly id: number;
  readonly kind: 'set' | 'append';
  readonly key: string;
  /** Any batch with it fails. */
  readonly poison: boolean;
  /** How often it is refused by itself before it is carried out. */
  readonly refusals: number;
  readonly at: number;
  readonly abortAfter: number | undefined;
}

/** What becomes of a call that holds no poison. */
type Fate = 'ok' | 'reject' | 'hang';

const opArbitrary = fc.record({
  kind: fc.constantFrom('set', 'set', 'append'),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  poison: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  refusals: fc.constantFrom(0, 0, 0, 0, 1, 2),
  at: fc.constantFrom(0, 0, 0, 5, 20),
  abortAfter: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined, freq: 5 }),
} as const);

const configArbitrary = fc.record({
  atomic: fc.boolean(),
  /** How much of a batch that fails is carried out, by a store that is not atomic. */
  partly: fc.constantFrom<'none' | 'before' | 'all'>('none', 'before', 'all'),
  fates: fc.array(fc.constantFrom<Fate>('ok', 'ok', 'ok', 'reject', 'hang'), { minLength: 1, maxLength: 6 }),
  latency: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 5 }),
  maxSize: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  attempts: fc.integer({ min: 1, max: 3 }),
  budget: fc.constantFrom(Infinity, 0.1, 0, undefined),
  /** One operation of so many is not worth another attempt. */
  stubborn: fc.constantFrom(2, 4, 1000),
  order: fc.constantFrom('key', 'key', 'strict'),
} as const);
type Config = typeof configArbitrary extends fc.Arbitrary<infer C> ? C : never;

class Poisoned extends Error {
  readonly retryable = false;
}

class Store {
  readonly state = new Map<string, string>();
  readonly applied = new Map<number, number>();
  /** Not carried out when they were sent last. */
  readonly missedLast = new Set<number>();
  readonly problems: string[] = [];
  readonly #busy = new Map<string, number>();
  readonly #refused = new Map<number, number>();
  readonly #config: Config;
  #running = 0;
  #calls = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  execute = async (ops: readonly Op[], { signal }: BatchContext): Promise<(string | Error)[]> => {
    const { fates, latency, concurrency, maxSize } = this.#config;
    const call = this.#calls++;
    if (++this.#running > concurrency) this.problems.push('too many at once');
    if (ops.length === 0 || ops.length > maxSize) this.problems.push(`a batch of ${ops.length}`);
    if (ops.some(({ id }, index) => index > 0 && id < ops[index - 1]!.id)) this.problems.push('out of order');
    for (const { id } of ops) this.missedLast.add(id);
    for (const key of new Set(ops.map((op) => op.key))) {
      if ((this.#busy.get(key) ?? 0) > 0) this.problems.push(`${key} sent twice at a time`);
      this.#busy.set(key, 1);
    }
    const fate = fates[call % fates.length]!;
    // Carried out, and the answer lost.
    const lost = fate === 'hang' && this.#config.partly === 'all' && !ops.some((op) => op.poison);
    if (lost) for (const op of ops) this.#one(op);
    try {
      if (fate === 'hang') await new Promise((resolve) => signal.addEventListener('abort', resolve));
      else await new Promise((resolve) => setTimeout(resolve, latency[call % latency.length]));
      return lost ? [] : this.#carryOut(ops, fate);
    } finally {
      this.#running--;
      for (const { key } of ops) this.#busy.set(key, 0);
    }
  };

  #carryOut(ops: readonly Op[], fate: Fate): (string | Error)[] {
    const { atomic, partly } = this.#config;
    const poison = ops.findIndex((op) => op.poison);
    if (fate === 'ok' && poison === -1) return ops.map((op) => this.#one(op));
    if (!atomic && partly === 'before') for (const op of ops.slice(0, Math.max(0, poison))) this.#one(op);
    if (!atomic && partly === 'all') for (const op of ops) if (!op.poison) this.#one(op);
    throw poison === -1 ? new Error('connection lost') : new Poisoned(`poison ${ops[poison]!.id}`);
  }

  #one(op: Op): string | Error {
    const refused = this.#refused.get(op.id) ?? 0;
    if (refused < op.refusals) {
      this.#refused.set(op.id, refused + 1);
      return new Error(`refused ${op.id}`);
    }
    this.applied.set(op.id, (this.applied.get(op.id) ?? 0) + 1);
    this.missedLast.delete(op.id);
    return apply(this.state, op);
  }
}

function apply(state: Map<string, string>, { id, kind, key }: Op): string {
  state.set(key, kind === 'set' ? `${id}` : `${state.get(key) ?? ''}+${id}`);
  return state.get(key)!;
}

test('whatever fails, nothing takes effect twice that must not, and every key ends as its operations in order say', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(opArbitrary, { minLength: 1, maxLength: 24 }), configArbitrary, async (drawn, config) => {
      const ops = drawn.toSorted((a, b) => a.at - b.at).map((op, id): Op => ({ ...op, id }));
      const store = new Store(config);
      const batcher = new Batcher<Op, string>({
        execute: store.execute,
        orderingKey: ({ key }) => key,
        order: config.order,
        maxSize: config.maxSize,
        concurrency: config.concurrency,
        timeout: 30,
        atomic: config.atomic && ((error) => error instanceof Error),
        retry: {
          attempts: config.attempts,
          baseDelay: 8,
          budget: config.budget === 0 ? { ratio: 0, burst: 3 } : config.budget,
          isIdempotent: ({ kind }) => kind === 'set',
          isRetryable: (error, { id }) => !(error instanceof Poisoned) && id % config.stubborn !== 1,
        },
      });
      const outcomes: (PromiseSettledResult<string> | undefined)[] = ops.map(() => undefined);
      for (const op of ops) setTimeout(() => addTo(batcher, op, outcomes), op.at);
      await vi.advanceTimersByTimeAsync(25);
      const closing = batcher.close();
      await vi.runAllTimersAsync();

      expect(await closing).toEqual({ unsent: [], unknown: [] });
      expect(store.problems).toEqual([]);
      for (const op of ops) expectOutcome(op, outcomes[op.id], { store, config });
      for (const ofKey of Map.groupBy(ops, ({ key }) => key).values()) {
        expect(possibleEnds(ofKey, outcomes, store)).toContainEqual(store.state.get(ofKey[0]!.key));
      }
      if (config.atomic && isQuiet(ops, config)) expectOthersSaved(ops, outcomes);
      const stats = batcher.stats();
      expect(stats).toMatchObject({ pending: 0, inFlight: 0, groups: 0, orderingKeys: 0 });
      expect(stats.succeeded + stats.failed + stats.withdrawn).toBe(ops.length);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 2000 },
  );
});

function addTo(batcher: Batcher<Op, string>, op: Op, outcomes: (PromiseSettledResult<string> | undefined)[]): void {
  const controller = op.abortAfter === undefined ? undefined : new AbortController();
  if (controller !== undefined) setTimeout(() => controller.abort('given up'), op.abortAfter);
  void Promise.allSettled([batcher.add(op, { signal: controller?.signal })]).then(([outcome]) => {
    expect(outcomes[op.id]).toBeUndefined();
    outcomes[op.id] = outcome;
  });
}

function expectOutcome(
  op: Op,
  outcome: PromiseSettledResult<string> | undefined,
  { store, config }: { store: Store; config: Config },
): void {
  const times = store.applied.get(op.id) ?? 0;
  expect(outcome).toBeDefined();
  if (op.kind === 'append') expect(times).toBeLessThanOrEqual(1);
  if (outcome?.status === 'fulfilled') {
    expect(times).toBeGreaterThanOrEqual(1);
    expect(op.poison).toBe(false);
    return;
  }
  const reason: unknown = outcome?.reason;
  if (reason instanceof Poisoned && op.poison) expect(reason.message).toBe(`poison ${op.id}`);
  // Told that it had no effect: so it is.
  if (reason instanceof Error && 'outcomeUnknown' in reason && reason.outcomeUnknown === false) {
    expect(config.atomic).toBe(true);
    expect(times).toBe(0);
  }
}

/** Nothing fails but for poison, which is rare, and there is budget. */
function isQuiet(ops: readonly Op[], { fates, budget }: Config): boolean {
  const poison = ops.filter((op) => op.poison).length;
  const plain = ops.every(({ refusals, abortAfter }) => refusals === 0 && abortAfter === undefined);
  return plain && poison <= 2 && budget !== 0 && fates.every((fate) => fate === 'ok');
}

function expectOthersSaved(ops: readonly Op[], outcomes: readonly (PromiseSettledResult<string> | undefined)[]): void {
  for (const op of ops) {
    const outcome = outcomes[op.id];
    expect(outcome?.status).toBe(op.poison ? 'rejected' : 'fulfilled');
  }
}

function possibleEnds(
  ops: readonly Op[],
  outcomes: readonly (PromiseSettledResult<string> | undefined)[],
  store: Store,
): (string | undefined)[] {
  let states: Map<string, string>[] = [new Map()];
  for (const op of ops) {
    const outcome = outcomes[op.id];
    if (outcome?.status === 'fulfilled') {
      states = states.filter((state) => apply(state, op) === outcome.value);
    } else if (store.applied.has(op.id)) {
      const without = store.missedLast.has(op.id) ? states.map((state) => new Map(state)) : [];
      for (const state of states) apply(state, op);
      states = [...states, ...without];
    }
  }
  return states.map((state) => state.get(ops[0]!.key));
}
