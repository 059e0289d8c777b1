import {
  type Clock,
  checkBoolean,
  checkClock,
  checkCount,
  checkDuration,
  checkFunction,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  checkSignal,
  systemClock,
} from '@perf/core';

/** What `create` is given. */
export interface CreateContext {
  /** Aborts when the pool no longer wants the connection: `createTimeout` ran out, or the pool closes. */
  readonly signal: AbortSignal;
  /**
   * To be called when the connection that `create` returns (or is about to) turns out to be dead: its socket closed, its process
   * exited. An idle one is taken out at once, a lent one when its lease ends. Any number of calls, at any time, by a plain function.
   */
  readonly lost: (reason?: unknown) => void;
}

/** What `validate` is given. */
export interface ValidateContext {
  /** Aborts when `validateTimeout` ran out. */
  readonly signal: AbortSignal;
}

/**
 * What an error given to `onError` came out of. `'use'`: the reason given to `lease.discard()`, or a fatal error of `use()`;
 * `'connection'`: the reason given to `ctx.lost()`.
 */
export type PoolOperation = 'create' | 'validate' | 'reset' | 'destroy' | 'use' | 'connection';

/** A lease that was held longer than `leakThreshold`. */
export interface LeakReport {
  /** The pool's name. */
  readonly pool: string;
  /** How long the lease has been held so far, in milliseconds. */
  readonly heldFor: number;
  /** The stack of the `acquire()` or `use()` that took it, without its first line. */
  readonly stack: string;
  /** Whether it has been returned, late: each leak is reported once when it becomes one, and once more if it ends after all. */
  readonly returned: boolean;
}

/** Options of {@link ConnectionPool}. Durations are in milliseconds, `Infinity` for never. */
export interface ConnectionPoolOptions<C> {
  /**
   * Makes one connection: an object of its own, or any value but `undefined` and `null`. It belongs to the pool, not to a caller: it is
   * not cut short because a caller left. A result that comes after `createTimeout` or `close()` is destroyed. While it fails, it is
   * called again after growing, random waits, one at a time.
   */
  readonly create: (ctx: CreateContext) => C | PromiseLike<C>;
  /** Ends one connection. Until what it returns has settled, the connection counts toward `max`. */
  readonly destroy: (connection: C) => unknown;
  /**
   * Whether the connection still works; falsy, a throw or silence for `validateTimeout` means no, and another one serves the caller,
   * who keeps the place in the queue. Called before a connection is lent that was idle for `validateAfterIdle`.
   */
  readonly validate?: ((connection: C, ctx: ValidateContext) => boolean | PromiseLike<boolean>) | undefined;
  /** Clears what a caller may have left behind, after each lease. If it throws, or is silent for `validateTimeout`, the connection is destroyed. */
  readonly reset?: ((connection: C) => unknown) | undefined;
  /** Whether an error that the function given to `use()` threw means that the connection is dead, and to be destroyed. @default never */
  readonly isFatal?: ((error: unknown) => boolean) | undefined;
  /**
   * Whether the error a connection died of means that all made before are as good as dead: the peer failed over, say. Asked about the
   * reasons given to `lost()` and `lease.discard()`, the fatal errors of `use()`, and what `validate` and `reset` fail with, their
   * `CallbackTimeoutError` included; if so, the pool does `evictAll()`. What died before
   * its owner noticed does not count again: fifty connections that one failover killed cost the pool one eviction. @default never
   */
  readonly isFailover?: ((error: unknown) => boolean) | undefined;
  /** How many connections to keep open. They are opened when the pool is made. @default 0 */
  readonly min?: number | undefined;
  /** How many there may ever be, the dying ones included. */
  readonly max: number;
  /** How many callers may wait; one more is refused with a `QueueFullError`. @default Infinity */
  readonly maxWaiting?: number | undefined;
  /** How many connections to create at a time. @default 4 */
  readonly maxConcurrentCreates?: number | undefined;
  /** How long a caller waits for a connection. @default 30_000 */
  readonly acquireTimeout?: number | undefined;
  /** How long `create` may take. @default 10_000 */
  readonly createTimeout?: number | undefined;
  /** How long `validate` and `reset` may take. @default 5_000 */
  readonly validateTimeout?: number | undefined;
  /**
   * How long to wait for `destroy`, and for a `create` that was given up, before their place is used again: from then on the peer may see
   * more than `max` connections. @default 5_000
   */
  readonly destroyTimeout?: number | undefined;
  /**
   * What a failed create means for those who wait: `'retry'`, nothing, they wait until their own time is up; `'reject-head'`, the one that
   * is next is rejected with a `CreateFailedError`, so that each failure reaches one caller; `'reject-all'`, all of them are, those
   * that come later wait for the next try. The waits between tries are the same. @default 'retry'
   */
  readonly onCreateError?: 'retry' | 'reject-head' | 'reject-all' | undefined;
  /** A connection used more recently than this is lent without `validate`; 0 validates always. @default 500 */
  readonly validateAfterIdle?: number | undefined;
  /**
   * How long a connection may be idle before `validate` is called to keep it alive, and again after as long; each time up to a fifth
   * earlier, at random. One that fails is destroyed, and `min` filled up. Does not count as use for `idleTimeout`. At most
   * `maxConcurrentCreates` run at a time. @default Infinity
   */
  readonly keepaliveInterval?: number | undefined;
  /** How long a connection may be idle before it is destroyed, as long as `min` are left. @default 60_000 */
  readonly idleTimeout?: number | undefined;
  /**
   * How old a connection may get. It retires at a random moment in the last fifth before, so that connections made together do not go
   * together; a lent one when it is given back. Where `min` asks for it, its replacement is opened first. @default 1_800_000
   */
  readonly maxLifetime?: number | undefined;
  /** How many leases a connection serves before it is replaced. @default Infinity */
  readonly maxUses?: number | undefined;
  /**
   * How many leases a connection serves at once: above 1 for sessions that multiplex, such as HTTP/2 or MCP. A connection is in use while
   * any lease of it is out; it is validated, reset, and retired only while none is. More connections are opened only when those there are
   * serve as many as they can. @default 1
   */
  readonly maxLeasesPerConnection?: number | undefined;
  /**
   * Whether to reject with a `PoolDeadlockError` who asks for a connection inside a `use()` of this pool, if all connections are held by
   * `use()` that wait for one more: otherwise they all wait until their time is up. What is asked for inside a `use()` counts as something
   * it waits for; leases of `acquire()` do not take part. Costs a stack trace and an async context a use. @default false
   */
  readonly detectDeadlocks?: boolean | undefined;
  /**
   * A lease held longer than this is reported to `onLeak`, and once more if it is returned after all. Costs a stack trace an acquire.
   * @default Infinity
   */
  readonly leakThreshold?: number | undefined;
  /**
   * Which idle connection is lent first: the one used last (the others get old and go), or the one used least recently. Where a connection
   * serves several leases at once, `'lifo'` fills one up before the next, `'fifo'` picks the one with the fewest leases. @default 'lifo'
   */
  readonly order?: 'lifo' | 'fifo' | undefined;
  /** Hears of failures that no caller hears of: those of the callbacks, and lost connections. What it throws is dropped. */
  readonly onError?: ((error: unknown, operation: PoolOperation) => void) | undefined;
  /** Hears of leaks. What it throws is dropped. @default a process warning with the code `PERF_CONN_POOL_LEAK` */
  readonly onLeak?: ((leak: LeakReport) => void) | undefined;
  /** The source of time for ages and waits; timers run on `setTimeout`. @default systemClock */
  readonly clock?: Clock | undefined;
  /** For errors and metrics. @default 'conn-pool' */
  readonly name?: string | undefined;
  /** What the names of the OpenTelemetry metrics begin with: the convention's for databases, unless you pool something else. @default 'db.client.connection' */
  readonly metricPrefix?: string | undefined;
  /** Name of a histogram of how long connections live, where a convention has one: `'mcp.client.session.duration'`. @default none */
  readonly durationMetric?: string | undefined;
}

/** Options of `acquire()` and `use()`. */
export interface AcquireOptions {
  /** Ends the wait at once, with `signal.reason`. What was acquired already is not affected. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, in milliseconds; `Infinity` for ever. @default the pool's `acquireTimeout` */
  readonly timeout?: number | undefined;
  /** Callers with a higher number are served first; one point is worth a second of waiting, so that nobody waits for ever. @default 0 */
  readonly priority?: number | undefined;
}

/** Options of `warmUp()`. */
export interface WarmUpOptions {
  /** Ends the wait at once, with `signal.reason`; the connections are opened nevertheless. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, in milliseconds. @default the pool's `acquireTimeout` */
  readonly timeout?: number | undefined;
}

/** Options of `resize()`. */
export interface ResizeOptions {
  /** How many connections to keep open. @default what it is */
  readonly min?: number | undefined;
  /** How many there may be. @default what it is */
  readonly max?: number | undefined;
}

/** Options of `close()`. */
export interface CloseOptions {
  /** Takes lent connections away and turns waiting callers off now, instead of after `timeout`. @default false */
  readonly force?: boolean | undefined;
  /** How long to wait for leases to end, in milliseconds, before force is used. @default 10_000 */
  readonly timeout?: number | undefined;
}

type Hooks = 'validate' | 'reset' | 'isFatal' | 'isFailover' | 'onError' | 'onLeak' | 'durationMetric';

/** How many connections are kept, and how many there may be. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Options, checked and complete. */
export type Settings<C> = {
  readonly [K in Exclude<keyof ConnectionPoolOptions<C>, Hooks>]-?: NonNullable<ConnectionPoolOptions<C>[K]>;
} & Pick<ConnectionPoolOptions<C>, Hooks>;

const CHECKS = {
  create: checkFunction,
  destroy: checkFunction,
  validate: checkFunction,
  reset: checkFunction,
  isFatal: checkFunction,
  isFailover: checkFunction,
  min: checkCount,
  max: checkPositiveInteger,
  maxWaiting: checkLimit,
  maxConcurrentCreates: checkPositiveInteger,
  acquireTimeout: checkDuration,
  createTimeout: checkDuration,
  validateTimeout: checkDuration,
  destroyTimeout: checkDuration,
  onCreateError: (name: string, value: unknown) => checkOneOf(name, value, ['retry', 'reject-head', 'reject-all']),
  validateAfterIdle: checkAge,
  keepaliveInterval: checkDuration,
  idleTimeout: checkDuration,
  maxLifetime: checkDuration,
  maxUses: checkLimit,
  leakThreshold: checkDuration,
  maxLeasesPerConnection: checkPositiveInteger,
  detectDeadlocks: checkBoolean,
  order: (name: string, value: unknown) => checkOneOf(name, value, ['lifo', 'fifo']),
  onError: checkFunction,
  onLeak: checkFunction,
  clock: (name: string, value: unknown) => checkClock(name, value as Clock),
  name: checkName,
  metricPrefix: checkName,
  durationMetric: checkName,
} satisfies { readonly [K in keyof ConnectionPoolOptions<unknown>]-?: (name: string, value: unknown) => unknown };

const REQUIRED: readonly (keyof ConnectionPoolOptions<unknown>)[] = ['create', 'destroy', 'max'];

/** The names of the options, for adapters that add their own. */
export const OPTION_NAMES: readonly string[] = Object.keys(CHECKS);

/** @throws RangeError, TypeError naming option and value */
function checkPoolOptions<C>(options: ConnectionPoolOptions<C>): void {
  checkOptions('ConnectionPool', options, OPTION_NAMES);
  for (const name of Object.keys(CHECKS) as (keyof typeof CHECKS)[]) {
    if (options[name] !== undefined || REQUIRED.includes(name)) CHECKS[name](name, options[name]);
  }
  const { min = 0, max, keepaliveInterval = Infinity, validate } = options;
  checkRange('min', min, { min: 0, max });
  if (keepaliveInterval < Infinity && validate === undefined) {
    throw new TypeError('`keepaliveInterval` needs `validate`, got undefined');
  }
}

/** The options with their defaults. @throws RangeError, TypeError naming option and value */
export function resolveOptions<C>(options: ConnectionPoolOptions<C>): Settings<C> {
  checkPoolOptions(options);
  return {
    create: options.create,
    destroy: options.destroy,
    validate: options.validate,
    reset: options.reset,
    isFatal: options.isFatal,
    isFailover: options.isFailover,
    onError: options.onError,
    onLeak: options.onLeak,
    onCreateError: options.onCreateError ?? 'retry',
    min: options.min ?? 0,
    max: options.max,
    maxWaiting: options.maxWaiting ?? Infinity,
    maxConcurrentCreates: options.maxConcurrentCreates ?? 4,
    maxUses: options.maxUses ?? Infinity,
    maxLeasesPerConnection: options.maxLeasesPerConnection ?? 1,
    detectDeadlocks: options.detectDeadlocks ?? false,
    order: options.order ?? 'lifo',
    clock: options.clock ?? systemClock,
    name: options.name ?? 'conn-pool',
    metricPrefix: options.metricPrefix ?? 'db.client.connection',
    durationMetric: options.durationMetric,
    ...durationsOf(options),
  };
}

type Durations =
  | `${'acquire' | 'create' | 'validate' | 'destroy' | 'idle'}Timeout`
  | 'validateAfterIdle'
  | 'keepaliveInterval'
  | 'maxLifetime'
  | 'leakThreshold';

function durationsOf<C>(options: ConnectionPoolOptions<C>): Pick<Settings<C>, Durations> {
  return {
    acquireTimeout: options.acquireTimeout ?? 30_000,
    createTimeout: options.createTimeout ?? 10_000,
    validateTimeout: options.validateTimeout ?? 5_000,
    destroyTimeout: options.destroyTimeout ?? 5_000,
    validateAfterIdle: options.validateAfterIdle ?? 500,
    keepaliveInterval: options.keepaliveInterval ?? Infinity,
    idleTimeout: options.idleTimeout ?? 60_000,
    maxLifetime: options.maxLifetime ?? 1_800_000,
    leakThreshold: options.leakThreshold ?? Infinity,
  };
}

/** A duration that may be 0: an age that is reached at once. */
function checkAge(name: string, value: unknown): unknown {
  return value === 0 ? value : checkDuration(name, value);
}

/** @throws RangeError, TypeError naming option and value */
export function checkAcquireOptions(options: AcquireOptions): void {
  checkOptions('acquire()', options, ['signal', 'timeout', 'priority']);
  const { signal, timeout, priority } = options;
  if (signal !== undefined) checkSignal('signal', signal);
  if (timeout !== undefined) checkDuration('timeout', timeout);
  if (priority !== undefined) checkRange('priority', priority, { min: -Number.MAX_VALUE, max: Number.MAX_VALUE });
}

/** @throws RangeError, TypeError naming option and value */
export function checkCloseOptions(options: CloseOptions): void {
  checkOptions('close()', options, ['force', 'timeout']);
  const { force, timeout } = options;
  if (force !== undefined) checkBoolean('force', force);
  if (timeout !== undefined) checkDuration('timeout', timeout);
}

/** The bounds of a pool after a resize. @throws RangeError, TypeError naming option and value */
export function resolveResize(options: ResizeOptions, now: Bounds): Bounds {
  checkOptions('resize()', options, ['min', 'max']);
  const { min = now.min, max = now.max } = options;
  checkPositiveInteger('max', max);
  checkRange('min', checkCount('min', min), { min: 0, max });
  return { min, max };
}
