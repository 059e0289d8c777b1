import type { StatementSync } from 'node:sqlite';
import type { SqliteFile } from './sqlite-file.ts';
import type { Counters } from './sqlite-ledger.ts';
import { toWellFormed } from './well-formed-text.ts';

/**
 * The last invalidation of each tag. An entry has ended when one of its tags was invalidated after the entry was written: nothing is looked for when a tag is invalidated.
 * Everything here is to run inside of a transaction.
 */
export class SqliteTags {
  readonly #sql: Readonly<Record<keyof ReturnType<typeof statements>, StatementSync>>;

  constructor(file: SqliteFile) {
    this.#sql = statements(file);
  }

  /** @param at the time by the wall clock */
  invalidate(namespace: number, tags: readonly string[], { counters, at }: { counters: Counters; at: number }): void {
    for (const tag of tags) this.#sql.set.run(++counters.seq, namespace, toWellFormed(tag), at);
  }

  /** The last change that ended entries with one of these tags, as far as is known; 0 for none. */
  lastEnd(namespace: number, tags: readonly string[]): number {
    let last = 0;
    for (const tag of tags) last = Math.max(last, this.#seqOf(namespace, tag) ?? 0);
    return last;
  }

  /** The same for what is not written yet: what is forgotten may have happened. */
  lastPossibleEnd(namespace: number, tags: readonly string[], { tagsForgotten }: Counters): number {
    let last = 0;
    for (const tag of tags) last = Math.max(last, this.#seqOf(namespace, tag) ?? tagsForgotten);
    return last;
  }

  /** The last of the invalidations up to a time. */
  lastUntil(at: number): number | undefined {
    return (this.#sql.lastUntil.get(at) as { readonly seq: number } | undefined)?.seq;
  }

  /** Forgets some of the invalidations up to a change. @returns how many */
  forgetUntil(seq: number, counters: Counters): number {
    counters.tagsForgotten = Math.max(counters.tagsForgotten, seq);
    return Number(this.#sql.deleteUntil.run(seq).changes);
  }

  forget(seq: number, counters: Counters): void {
    counters.tagsForgotten = Math.max(counters.tagsForgotten, seq);
    this.#sql.delete.run(seq);
  }

  #seqOf(namespace: number, tag: string): number | undefined {
    return (this.#sql.seqOf.get(namespace, toWellFormed(tag)) as { readonly seq: number } | undefined)?.seq;
  }
}

function statements(file: SqliteFile) {
  return {
    set: file.prepare('INSERT OR REPLACE INTO tags (seq, namespace, tag, at) VALUES (?, ?, ?, ?)'),
    seqOf: file.prepare('SELECT seq FROM tags WHERE namespace = ? AND tag = ?'),
    lastUntil: file.prepare('SELECT seq FROM tags WHERE at <= ? ORDER BY at DESC, seq DESC LIMIT 1'),
    deleteUntil: file.prepare(
      'DELETE FROM tags WHERE seq IN (SELECT seq FROM tags WHERE seq <= ? ORDER BY seq LIMIT 64)',
    ),
    delete: file.prepare('DELETE FROM tags WHERE seq = ?'),
  };
}
