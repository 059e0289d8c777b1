import type { StatementSync } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';
import type { HeldLease } from './store.ts';

interface Lease {
  readonly seq: number;
  readonly since: number;
  readonly until: number;
}

/** A lease that somebody got, by the wall clock. */
export interface NewLease {
  /** The number of the change that gave it, which is its token. */
  readonly seq: number;
  readonly now: number;
  readonly ttl: number;
}

/** Past this, times would no longer be whole milliseconds. */
const FAR: number = 2 ** 52;

/**
 * Who has got which key. One that is over stays a while: its holder may still write when nobody else has got the key since. Everything here is to run
 * inside of a transaction.
 */
export class SqliteLeases {
  readonly #sql: Readonly<Record<keyof ReturnType<typeof statements>, StatementSync>>;

  constructor(file: SqliteFile) {
    this.#sql = statements(file);
  }

  /** Milliseconds for which somebody has the key. A lease that seems to begin in the future is over: the clock was set back, by nobody knows how much. */
  leasedFor(namespace: number, key: string, now: number): number {
    const lease = this.#find(namespace, key);
    return lease === undefined || now < lease.since ? 0 : Math.max(0, lease.until - now);
  }

  give(namespace: number, key: string, { seq, now, ttl }: NewLease): void {
    this.#sql.set.run(seq, namespace, key, now, Math.min(Math.ceil(now + ttl), FAR));
  }

  /** Whether nobody else has got the key, and nothing has ended the lease. */
  isLast(namespace: number, { key, token }: HeldLease): boolean {
    return this.#find(namespace, key)?.seq === Number(token);
  }

  /** @returns whether it was still held */
  extend(namespace: number, lease: HeldLease, { now, ttl }: Omit<NewLease, 'seq'>): boolean {
    if (!this.isLast(namespace, lease) || this.leasedFor(namespace, lease.key, now) === 0) return false;
    this.#sql.extend.run(now, Math.min(Math.ceil(now + ttl), FAR), Number(lease.token));
    return true;
  }

  release(namespace: number, lease: HeldLease): void {
    if (this.isLast(namespace, lease)) this.#sql.delete.run(Number(lease.token));
  }

  /** Ends whatever lease the key has. */
  end(namespace: number, key: string): void {
    this.#sql.end.run(namespace, key);
  }

  /** Removes some that ended before a time. @returns how many */
  sweep(until: number): number {
    return Number(this.#sql.sweep.run(until).changes);
  }

  forget(seq: number): void {
    this.#sql.delete.run(seq);
  }

  #find(namespace: number, key: string): Lease | undefined {
    return this.#sql.find.get(namespace, key) as Lease | undefined;
  }
}

function statements(file: SqliteFile) {
  return {
    find: file.prepare('SELECT seq, since, until FROM leases WHERE namespace = ? AND key = ?'),
    set: file.prepare('INSERT OR REPLACE INTO leases (seq, namespace, key, since, until) VALUES (?, ?, ?, ?, ?)'),
    extend: file.prepare('UPDATE leases SET since = ?, until = ? WHERE seq = ?'),
    end: file.prepare('DELETE FROM leases WHERE namespace = ? AND key = ?'),
    delete: file.prepare('DELETE FROM leases WHERE seq = ?'),
    sweep: file.prepare(
      'DELETE FROM leases WHERE seq IN (SELECT seq FROM leases WHERE until <= ? ORDER BY until LIMIT 64)',
    ),
  };
}
