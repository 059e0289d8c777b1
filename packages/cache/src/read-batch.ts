import type { StoreEntry } from './store.ts';

/** What was answered to a batch. */
export interface BatchReply {
  /** One for each key, in the order in which they were added. */
  readonly entries: readonly (StoreEntry | undefined)[];
  /** When the question was sent, by the cache's clock. */
  readonly askedAt: number;
}

/** Keys that are asked for in one question, by callers who do not know of each other. */
export class ReadBatch {
  readonly keys: string[] = [];
  readonly tags: Set<string> = new Set();
  /** `undefined` when there is no answer. */
  readonly reply: Promise<BatchReply | undefined>;
  readonly #send: () => void;

  /** @param ask is called once, when the batch is complete; does not reject */
  constructor(ask: (batch: ReadBatch) => Promise<BatchReply | undefined>) {
    const { promise, resolve } = Promise.withResolvers<BatchReply | undefined>();
    this.reply = promise;
    this.#send = () => resolve(ask(this));
  }

  /** @returns the position of the first of the keys in the reply */
  add(keys: readonly string[], tags: readonly string[]): number {
    const from = this.keys.length;
    for (const key of keys) this.keys.push(key);
    for (const tag of tags) this.tags.add(tag);
    return from;
  }

  /** Sends it after all that runs before the event loop turns: callers woken by one reply ask together again. */
  sendSoon(): void {
    queueMicrotask(() => process.nextTick(this.#send));
  }
}
