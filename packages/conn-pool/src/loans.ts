import { stackOf } from './acquire-trace.ts';
import { Alarm } from './alarm.ts';
import { LinkedList } from './linked-list.ts';
import { Loan } from './loan.ts';
import type { PoolMetrics } from './metrics.ts';
import type { Settings } from './options.ts';
import { reportLeak } from './report-leak.ts';
import type { Counters } from './stats.ts';

/** What {@link Loans} works with. */
export interface LoansParts {
  readonly settings: Pick<Settings<unknown>, 'name' | 'clock' | 'leakThreshold' | 'onLeak'>;
  readonly metrics: PoolMetrics;
  readonly counters: Counters;
}

/** The leases that are out, as far as somebody wants to know: finds those held for longer than `leakThreshold`, and times their use. */
export class Loans {
  readonly #parts: LoansParts;
  readonly #watchesLeaks: boolean;
  /** Those not reported yet, in the order they began, which is that of their becoming leaks. */
  readonly #young = new LinkedList<Loan>();
  readonly #alarm: Alarm = new Alarm(() => this.#findLeaks());

  constructor(parts: LoansParts) {
    this.#parts = parts;
    this.#watchesLeaks = parts.settings.leakThreshold < Infinity;
  }

  /** A lease begins. Returns what is to be given back at its end, or nothing while nobody wants to know. */
  begin(trace: Error | undefined): Loan | undefined {
    const { settings, metrics } = this.#parts;
    if (!this.#watchesLeaks && !metrics.timesUse) return undefined;
    const now = settings.clock.now();
    const loan = new Loan(now, trace);
    if (this.#watchesLeaks) {
      this.#young.push(loan);
      this.#alarm.set(now + settings.leakThreshold, now);
    }
    return loan;
  }

  end(loan: Loan): void {
    const { settings, metrics } = this.#parts;
    const heldFor = settings.clock.now() - loan.lentAt;
    metrics.used(heldFor);
    if (loan.reported) this.#tell(loan, heldFor, true);
    else if (this.#watchesLeaks) this.#young.remove(loan);
  }

  stop(): void {
    this.#alarm.clear();
  }

  #findLeaks(): void {
    const { settings, counters } = this.#parts;
    const now = settings.clock.now();
    const leaks: Loan[] = [];
    for (const loan of this.#young) {
      const leakAt = loan.lentAt + settings.leakThreshold;
      if (leakAt > now) {
        this.#alarm.set(leakAt, now);
        break;
      }
      this.#young.remove(loan);
      loan.reported = true;
      leaks.push(loan);
    }
    counters.leaks += leaks.length;
    for (const loan of leaks) this.#tell(loan, now - loan.lentAt, false);
  }

  #tell(loan: Loan, heldFor: number, returned: boolean): void {
    const { name, onLeak } = this.#parts.settings;
    reportLeak({ pool: name, heldFor, stack: stackOf(loan.trace), returned }, onLeak);
  }
}
