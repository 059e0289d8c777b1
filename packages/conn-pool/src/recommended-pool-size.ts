import { checkCount, checkOptions, checkPositiveInteger } from '@perf/core';

/** What {@link recommendedPoolSize} goes by. */
export interface PoolSizeOptions {
  /** Cores of the database server, without hyper-threads. */
  readonly cores: number;
  /** Its disks that seek independently: 0 when what is asked for is in memory, 1 or so for an SSD. @default 1 */
  readonly spindles?: number | undefined;
  /** How many connections of this pool one task holds at the same time: 2 where one `use()` is inside another. @default 1 */
  readonly transactionConnections?: number | undefined;
  /** How many such tasks run at the same time, in the process that has the pool. @default 1 */
  readonly threads?: number | undefined;
}

/** What {@link recommendedPoolSize} recommends. */
export interface PoolSizeAdvice {
  /** The `max` to set: the greater of the two that follow. */
  readonly size: number;
  /** As many connections as the database can serve at a time; more of them only queue there, and get in each other's way. */
  readonly throughput: number;
  /** As many as it takes so that tasks holding some and waiting for more can never all wait for each other. */
  readonly deadlockFloor: number;
  /** Which of the two `size` is. Where it is the floor, hold fewer connections per task: the database would be better off. */
  readonly limitedBy: 'throughput' | 'deadlock';
}

/**
 * How many connections to a database are enough, for all processes that use it together.
 *
 * - Throughput: `cores * 2 + spindles`, of the PostgreSQL wiki, "Number Of Database Connections", which HikariCP's "About Pool Sizing"
 *   repeats. A start to measure from: it does not know your queries.
 * - Deadlock floor: `threads * (transactionConnections - 1) + 1`, of "About Pool Sizing", "Pool-locking": with each of `threads` tasks holding all
 *   its connections but one, one is left, with which one of them goes on.
 *
 * @throws RangeError, TypeError naming the option and its value
 */
export function recommendedPoolSize(options: PoolSizeOptions): PoolSizeAdvice {
  checkOptions('recommendedPoolSize()', options, ['cores', 'spindles', 'transactionConnections', 'threads']);
  const { cores, spindles = 1, transactionConnections = 1, threads = 1 } = options;
  checkPositiveInteger('cores', cores);
  checkCount('spindles', spindles);
  checkPositiveInteger('transactionConnections', transactionConnections);
  checkPositiveInteger('threads', threads);
  const throughput = cores * 2 + spindles;
  const deadlockFloor = threads * (transactionConnections - 1) + 1;
  const limitedBy = deadlockFloor > throughput ? 'deadlock' : 'throughput';
  return { size: Math.max(throughput, deadlockFloor), throughput, deadlockFloor, limitedBy };
}
