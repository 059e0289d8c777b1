/** One way to do the work of a {@link Comparison}. */
export interface Contender {
  /** How the tables name it: the package, with its version where it is a peer. */
  readonly name: string;
  /** One of ours: the ratios are of its speed to the others'. */
  readonly ours?: boolean;
  /**
   * Does the work `iterations` times and returns a digest of what came out, which the runner keeps and compares: work whose result nobody looks at is
   * optimised away, and contenders that did different work cannot be compared.
   */
  run(iterations: number): Digest | Promise<Digest>;
  /** Frees what the contender holds. */
  close?(): unknown;
}

/** Equal for equal work. */
export type Digest = string | number;

/** A piece of work that several contenders can do. */
export interface Comparison {
  /** The package measured, without its scope: `cache`. */
  readonly package: string;
  /** What is done, in a few words: `get, hit`. */
  readonly title: string;
  /** What one iteration is: `get`, `task`, … */
  readonly unit: string;
  /** Iterations of one measurement; absent: found by calibration, so that one takes about 50 ms. */
  readonly iterations?: number;
  /** Fresh contenders, under the same limits and with the same data. */
  contenders(): Contender[] | Promise<Contender[]>;
}
