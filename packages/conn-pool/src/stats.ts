/** A snapshot of a {@link ConnectionPool}. Counts of connections are of this moment, the other counts since the pool was made; times are in milliseconds. */
export interface ConnectionPoolStats {
  /** Places taken of `max`: the sum of the next five. */
  readonly size: number;
  readonly idle: number;
  readonly inUse: number;
  /** Leases that are out: more than `inUse` where a connection serves several at once. */
  readonly leases: number;
  /** Being created, or given up and not answered yet. */
  readonly creating: number;
  /** Being validated or reset. */
  readonly checking: number;
  readonly destroying: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
  readonly min: number;
  readonly max: number;
  /** Leases given out. */
  readonly acquired: number;
  /** Connections that came to be, and that were destroyed. */
  readonly created: number;
  readonly destroyed: number;
  /** How often `create` failed or timed out, or its connection was lost before its first use. */
  readonly createErrors: number;
  /** How often `validate` or `reset` found a connection unfit. */
  readonly checkErrors: number;
  /** Callers whose time ran out, and that were refused: `maxWaiting` others waited, or all would have waited for each other. */
  readonly acquireTimeouts: number;
  readonly refused: number;
  /** Leases that were held longer than `leakThreshold`. */
  readonly leaks: number;
  /**
   * How long served callers waited. Those who found a free connection count as 0; where many come in one turn of the event loop, waits
   * count from the end of the turn, and those that were over by then as 0.
   */
  readonly waitMean: number;
  readonly waitP50: number;
  readonly waitP99: number;
  readonly waitMax: number;
}

/** The counts since the pool was made. */
export interface Counters {
  acquired: number;
  created: number;
  destroyed: number;
  createErrors: number;
  acquireTimeouts: number;
  refused: number;
  leaks: number;
}

export function zeroCounters(): Counters {
  return {
    acquired: 0,
    created: 0,
    destroyed: 0,
    createErrors: 0,
    acquireTimeouts: 0,
    refused: 0,
    leaks: 0,
  };
}
