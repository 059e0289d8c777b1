import type { Scope } from './deadlock-watch.ts';
import type { Lease } from './lease.ts';
import type { WaiterList } from './waiter-list.ts';

/** What a waiter asked for, or is watched for, beyond what every caller gets. */
export class WaitTerms {
  /** In milliseconds; `Infinity` for never. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Where it asked, while leaks or deadlocks are watched. */
  readonly trace: Error | undefined;
  /** The `use()` it asked in, while deadlocks are watched. */
  readonly scope: Scope | undefined;
  /** When its time is up, if its timeout is not the pool's; kept by `WaitDeadlines`. */
  deadline: number = Infinity;
  /** Its place in the heap of deadlines; -1 while it is not there. */
  index = -1;

  constructor({ timeout, signal, trace, scope }: Pick<WaitTerms, 'timeout' | 'signal' | 'trace' | 'scope'>) {
    this.timeout = timeout;
    this.signal = signal;
    this.trace = trace;
    this.scope = scope;
  }
}

/**
 * One caller in the queue. It is its own link in the list it stands in, and holds no timer, listener or closure of its own: thousands
 * come and go in a millisecond.
 */
export class Waiter<C> {
  previous: Waiter<C> | undefined = undefined;
  next: Waiter<C> | undefined = undefined;
  /** Where it stands; `undefined` once its wait is over. */
  list: WaiterList<C> | undefined = undefined;
  /** Who came first has the smaller one. */
  order = 0;
  /** When it came, or the end of the turn of the event loop in which it came; `undefined` during that turn. Never too early. */
  since: number | undefined = undefined;
  readonly terms: WaitTerms | undefined;
  readonly lease: Promise<Lease<C>>;
  // Written by the executor of the promise, which runs in the constructor. `new Promise` is three times as fast as `Promise.withResolvers()`.
  resolve!: (lease: Lease<C>) => void;
  reject!: (error: unknown) => void;

  constructor(terms: WaitTerms | undefined) {
    this.terms = terms;
    this.lease = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
