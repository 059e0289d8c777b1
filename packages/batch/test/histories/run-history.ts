import { Batcher, type BatcherStats, type CloseReport } from '../../src/index.ts';
import { type History, IN_PEACE, type Op, mergeOps } from './history.ts';
import { Store } from './store.ts';
import { VirtualTime } from './virtual-time.ts';

/** What became of one operation. */
export interface Trace {
  readonly op: Op;
  /** How often it settled. */
  settled: number;
  outcome: PromiseSettledResult<string> | undefined;
  /** Whether it had been sent when its caller gave up. */
  sentWhenAborted: boolean | undefined;
}

/** What became of a history. */
export interface Run {
  readonly store: Store;
  /** In the order added. */
  readonly traces: readonly Trace[];
  readonly stats: BatcherStats;
  readonly report: CloseReport<Op> | undefined;
  readonly timersLeft: number;
  /** Whether each flush resolved, and no sooner than it should. */
  readonly flushed: boolean;
  /** What had not settled when the batcher was closed. */
  readonly pendingAtClose: number;
}

/** More than any of them takes. */
const MOST_TIMERS = 2000;

/** Plays a history against a batcher, in virtual time. */
export async function runHistory(history: History, random: () => number): Promise<Run> {
  const time = new VirtualTime();
  time.install(random);
  try {
    const play = new Play(history);
    await time.run(MOST_TIMERS);
    return { ...play.end(), timersLeft: time.pending };
  } finally {
    time.restore();
  }
}

class Play {
  readonly #history: History;
  readonly #store: Store;
  readonly #batcher: Batcher<Op, string>;
  readonly #traces: Trace[] = [];
  #report: CloseReport<Op> | undefined;
  #flushes = 0;
  #flushedTooEarly = false;
  #pendingAtClose = 0;

  constructor(history: History) {
    this.#history = history;
    this.#store = new Store(history, (call) => this.#inCall(call));
    this.#batcher = new Batcher(this.#options());
    for (const [index, op] of history.ops.entries()) {
      if (typeof op.added === 'object' && 'at' in op.added) setTimeout(() => this.#add(index), op.added.at);
    }
    for (const at of history.flushAt) setTimeout(() => this.#flush(), at);
    setTimeout(() => this.#close(history.closeTimeout), history.closeAt);
    // A store that hangs, or a deadlock of ours, must not hide in a close that never ends; the second is told by the stats.
    setTimeout(() => this.#close(50), 2 * IN_PEACE);
  }

  #options(): ConstructorParameters<typeof Batcher<Op, string>>[0] {
    const {
      ops: _,
      calls: __,
      share,
      merges,
      attempts,
      flushAt: ___,
      closeAt: ____,
      closeTimeout: _____,
      ...options
    } = this.#history;
    return {
      ...options,
      execute: this.#store.execute,
      sizeOf: ({ size }) => size,
      groupBy: ({ kind }) => kind,
      orderingKey: ({ key }) => key,
      dedupeKey: share ? ({ kind, key }) => (kind === 'read' ? key : undefined) : undefined,
      merge: merges ? mergeOps : undefined,
      retry: { attempts, baseDelay: 4, isIdempotent: ({ kind }) => kind !== 'append' },
    };
  }

  #add(index: number): void {
    const op = this.#history.ops[index] as Op;
    const trace: Trace = { op, settled: 0, outcome: undefined, sentWhenAborted: undefined };
    this.#store.sequence.set(op.id, this.#traces.push(trace));
    const settle = (outcome: PromiseSettledResult<string>): void => {
      trace.settled++;
      trace.outcome = outcome;
      if (this.#history.ops[index + 1]?.added === 'after the one before') this.#add(index + 1);
    };
    this.#batcher.add(op, { signal: this.#signalFor(trace), timeout: op.timeout, priority: op.priority }).then(
      (value) => settle({ status: 'fulfilled', value }),
      (reason: unknown) => settle({ status: 'rejected', reason }),
    );
  }

  #signalFor(trace: Trace): AbortSignal | undefined {
    const { abortAfter, id } = trace.op;
    if (abortAfter === undefined) return undefined;
    const controller = new AbortController();
    setTimeout(() => {
      if (trace.outcome === undefined) trace.sentWhenAborted = this.#store.sent.has(id);
      controller.abort('given up');
    }, abortAfter);
    return controller.signal;
  }

  #inCall(call: number): void {
    for (const [index, { added }] of this.#history.ops.entries()) {
      if (typeof added === 'object' && 'inCall' in added && added.inCall === call) this.#add(index);
    }
  }

  #flush(): void {
    const before = this.#traces.slice();
    this.#flushes++;
    void this.#batcher.flush().then(() => {
      this.#flushes--;
      // Their callers are told in the same turn.
      queueMicrotask(() => (this.#flushedTooEarly ||= before.some(({ outcome }) => outcome === undefined)));
    });
  }

  #close(timeout: number | undefined): void {
    if (!this.#batcher.closed)
      this.#pendingAtClose = this.#traces.filter(({ outcome }) => outcome === undefined).length;
    void this.#batcher.close({ timeout }).then((report) => (this.#report ??= report));
  }

  end(): Omit<Run, 'timersLeft'> {
    return {
      store: this.#store,
      traces: this.#traces,
      stats: this.#batcher.stats(),
      report: this.#report,
      flushed: this.#flushes === 0 && !this.#flushedTooEarly,
      pendingAtClose: this.#pendingAtClose,
    };
  }
}
