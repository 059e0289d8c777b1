/** What there is and what is wanted, in connections. */
export interface Demand {
  /** Callers that wait. */
  readonly waiting: number;
  /** Connections that will be free without anybody giving one back: being created, validated, reset. */
  readonly onTheWay: number;
  /** Connections here to stay, or about to be. */
  readonly lasting: number;
  /** Places taken, dying connections included. */
  readonly size: number;
  readonly creating: number;
  readonly min: number;
  readonly max: number;
  /** How many may be created at a time. */
  readonly limit: number;
}

/**
 * How many connections to begin to create now.
 *
 * A create is never made for one caller: it is made while more callers wait than connections are on the way, asked anew whenever
 * one arrives, so that callers whom released connections serve meanwhile leave no creates behind.
 * "Welcome to the Jungle" of HikariCP's documents shows what a spike does to pools that pin a create to each caller.
 */
export function createsToStart(demand: Demand): number {
  const wanted = Math.max(demand.waiting - demand.onTheWay, demand.min - demand.lasting);
  return Math.max(0, Math.min(wanted, demand.max - demand.size, demand.limit - demand.creating));
}
