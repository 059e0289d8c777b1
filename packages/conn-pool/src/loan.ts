import type { Linked } from './linked-list.ts';

/** What is noted of a lease while leaks are watched or uses are timed: leases of which nothing is noted have none. */
export class Loan implements Linked<Loan> {
  previous: Loan | undefined = undefined;
  next: Loan | undefined = undefined;
  readonly lentAt: number;
  /** Where it was taken, while leaks are watched. */
  readonly trace: Error | undefined;
  /** Whether it was reported as a leak. */
  reported = false;

  constructor(lentAt: number, trace: Error | undefined) {
    this.lentAt = lentAt;
    this.trace = trace;
  }
}
