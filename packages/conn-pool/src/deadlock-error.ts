import { PerfError } from '@perf/core';
import { stackOf } from './acquire-trace.ts';

/**
 * Every connection of the pool is lent to a `use()` that waits for one more itself: none would ever come back. Told, instead of letting
 * it wait, to the caller whose wait would complete the circle; only with `detectDeadlocks`.
 */
export class PoolDeadlockError extends PerfError {
  /** The stacks of the calls of `use()` that hold the connections, in the order they began to wait, without their first lines. */
  readonly owners: readonly string[];

  constructor(pool: string, traces: readonly Error[]) {
    const owners = traces.map((trace) => stackOf(trace));
    super(
      'PERF_CONN_POOL_DEADLOCK',
      `each of the ${owners.length} that use a connection of "${pool}" waits for one more of it: nobody would go on. They are\n` +
        owners.map((stack, index) => `#${index + 1}\n${stack}`).join('\n'),
    );
    this.owners = owners;
  }

  override get name(): string {
    return 'PoolDeadlockError';
  }
}
