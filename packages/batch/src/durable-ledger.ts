import { type DurableKeys } from './durable-keys.ts';
import { deadRecord, storeError, successRecord } from './durable-record.ts';
import { type StoredLetter } from './durable-letter.ts';
import type { DurablePending } from './durable-pending.ts';
import type { Verdict } from './durable-judge.ts';
import type { ScriptInput } from './durable-script.ts';

/** A verdict and whom it is about. */
export interface Settlement<Op> {
  readonly pending: DurablePending<Op>;
  readonly verdict: Verdict;
}

/** The turn a settlement belongs to, and when it is. */
export interface SettlementFacts {
  readonly keys: DurableKeys;
  readonly partition: number;
  readonly fence: number;
  /** Wall time, as other processes read it. */
  readonly now: number;
  readonly settings: { readonly resultTtl: number; readonly maxResultBytes: number };
}

/** What the script that records outcomes is given. */
export function settlementInput<Op>(settlements: readonly Settlement<Op>[], facts: SettlementFacts): ScriptInput {
  const { keys, partition, fence, now, settings } = facts;
  const names = [keys.fence(partition), keys.crashes(partition), keys.counts, keys.deadIndex, keys.deadLetters];
  const args: (string | number)[] = [fence, now, settings.resultTtl, settlements.length];
  const messages = new Messages(keys);
  for (const { pending, verdict } of settlements) {
    names.push(keys.record(pending.key));
    const [record, letter] = write(pending, verdict, facts);
    args.push(pending.key, verdict.kind, record, letter);
    if (verdict.kind !== 'again') messages.add(pending.producers, pending.key, record);
  }
  args.push(...messages.list().flat());
  const settled = settlements.filter(({ verdict }) => verdict.kind !== 'again').map(({ pending }) => pending.key);
  if (settled.length > 0) args.push(keys.settled, JSON.stringify(settled));
  return { keys: names, args };
}

/** What producers are told, one message for each. */
export class Messages {
  readonly #keys: DurableKeys;
  readonly #entries = new Map<string, string[]>();

  constructor(keys: DurableKeys) {
    this.#keys = keys;
  }

  add(producers: Iterable<string>, key: string, record: string): void {
    for (const producer of producers) {
      const entries = this.#entries.get(producer);
      const entry = `[${JSON.stringify(key)},${JSON.stringify(record)}]`;
      if (entries === undefined) this.#entries.set(producer, [entry]);
      else entries.push(entry);
    }
  }

  /** Channels and messages. */
  list(): [channel: string, message: string][] {
    return Array.from(this.#entries, ([producer, entries]) => [this.#keys.replies(producer), `[${entries.join(',')}]`]);
  }
}

function write<Op>(pending: DurablePending<Op>, verdict: Verdict, facts: SettlementFacts): [string, string] {
  if (verdict.kind === 'again') return ['', ''];
  if (verdict.kind === 'ok') return [successRecord(verdict.value, facts.settings.maxResultBytes), ''];
  const error = storeError(verdict.error);
  const letter: StoredLetter = {
    at: facts.now,
    p: facts.partition,
    n: pending.attempt,
    e: error,
    op: {
      i: pending.key,
      ...(pending.orderingKey !== undefined && { k: pending.orderingKey }),
      v: pending.op,
      ...(pending.traceparent !== undefined && { t: pending.traceparent }),
    },
  };
  return [deadRecord(error, pending.attempt), JSON.stringify(letter)];
}
