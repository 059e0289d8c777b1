import { PerfError } from '@perf/core';

/** The code of the `ClosedError` every component of this package throws after its `close()`. */
export const CLOSED = 'PERF_MEMORY_CLOSED';

/** An object was given back to a pool that had not lent it: released twice, or disposed of in the meantime. */
export class DoubleReleaseError extends PerfError {
  /** The pool's name, where it has one. */
  readonly pool: string | undefined;

  constructor(pool: string | undefined) {
    super('PERF_MEMORY_DOUBLE_RELEASE', `${poolNamed(pool)} has this object back already: released twice`);
    this.pool = pool;
  }

  override get name(): string {
    return 'DoubleReleaseError';
  }
}

/** Something was given back to a pool that it does not come from. */
export class ForeignReleaseError extends PerfError {
  /** The pool's name, where it has one. */
  readonly pool: string | undefined;

  constructor(pool: string | undefined) {
    super('PERF_MEMORY_FOREIGN_RELEASE', `${poolNamed(pool)} did not lend what it was given back`);
    this.pool = pool;
  }

  override get name(): string {
    return 'ForeignReleaseError';
  }
}

/** A pool's factory returned something that cannot be pooled; the message says what. */
export class FactoryError extends PerfError {
  /** The pool's name, where it has one. */
  readonly pool: string | undefined;

  constructor(pool: string | undefined, problem: string) {
    super('PERF_MEMORY_FACTORY', `the factory of ${poolNamed(pool)} ${problem}`);
    this.pool = pool;
  }

  override get name(): string {
    return 'FactoryError';
  }
}

/** A manager was asked to create a pool, or add a reliever, under a name that is taken. */
export class NameTakenError extends PerfError {
  /** The name in question. */
  readonly taken: string;

  constructor(taken: string) {
    super('PERF_MEMORY_NAME_TAKEN', `the name ${JSON.stringify(taken)} is taken`);
    this.taken = taken;
  }

  override get name(): string {
    return 'NameTakenError';
  }
}

/** A manager was asked for a pool it does not have. */
export class UnknownPoolError extends PerfError {
  /** The pool's name. */
  readonly pool: string;

  constructor(pool: string) {
    super('PERF_MEMORY_UNKNOWN_POOL', `there is no pool ${JSON.stringify(pool)}; create it with createPool`);
    this.pool = pool;
  }

  override get name(): string {
    return 'UnknownPoolError';
  }
}

/** A reliever called `relieve()` of the manager that was running it. */
export class ReliefReentryError extends PerfError {
  constructor() {
    super('PERF_MEMORY_RELIEF_REENTRY', 'relieve() was called from within a reliever');
  }

  override get name(): string {
    return 'ReliefReentryError';
  }
}

function poolNamed(pool: string | undefined): string {
  return pool === undefined ? 'the pool' : `pool ${JSON.stringify(pool)}`;
}
