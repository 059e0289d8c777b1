import { abortable, startTimer, type Timer } from '@perf/core';
import type { Redis } from 'ioredis';
import type { DurableLink } from './durable-connection.ts';
import type { DurableKeys } from './durable-keys.ts';
import { readRecord } from './durable-record.ts';

/** Somebody waits for how an operation came out. */
interface Expected {
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  waiters: number;
  /** When its record is looked up next, and how long after that again. */
  lookAt: number;
  patience: number;
  /** Whether the operation is in Redis for certain. */
  durable: boolean;
}

/** How long a message may take, in milliseconds, before it is taken for lost; longer each time it was not. */
const PATIENCE = 1000;
const MOST_PATIENCE = 16_000;
/** How many records are read at once. */
const CHUNK = 500;

/**
 * The results a process waits for. Workers send a message with each; messages get lost (a connection that breaks, a worker killed before), so
 * records are looked up too: after a second, then less and less often, and whenever the connection comes back.
 */
export class DurableReplies {
  readonly #redis: Redis;
  readonly #keys: DurableKeys;
  readonly #onError: (error: unknown) => void;
  readonly #expected = new Map<string, Expected>();
  readonly #subscriber: Redis;
  #timer: Timer | undefined;
  #looking = false;
  #asked: string[] = [];
  /** Settles when it is told of operations it did not add. */
  #hearing: Promise<unknown> | undefined;
  #idle: (() => void)[] = [];
  #closed: unknown;

  constructor(
    link: DurableLink,
    keys: DurableKeys,
    { producer, onError }: { producer: string; onError: (error: unknown) => void },
  ) {
    this.#redis = link.redis;
    this.#keys = keys;
    this.#onError = onError;
    this.#subscriber = link.duplicate();
    this.#subscriber.on('message', (channel, message) => {
      try {
        if (channel === keys.settled) this.#hear(JSON.parse(message) as string[]);
        else for (const [key, record] of JSON.parse(message) as [string, string][]) this.#settle(key, record);
      } catch (error) {
        // Anybody can publish anything.
        this.#report(error);
      }
    });
    this.#subscriber.on('ready', () => void this.#lookUp(Infinity));
    this.#subscriber.subscribe(keys.replies(producer)).then(
      () => this.#lookUp(Infinity),
      (error: unknown) => this.#report(error),
    );
  }

  /** How many operations are waited for. */
  get size(): number {
    return this.#expected.size;
  }

  /** Resolves or rejects with how the operation came out, after `sent`; whatever comes of that first. */
  async wait(
    key: string,
    options: { readonly sent?: Promise<unknown>; readonly signal?: AbortSignal | undefined },
  ): Promise<unknown> {
    if (this.#closed !== undefined) throw this.#closed;
    const expected = this.#expect(key);
    try {
      await options.sent;
      expected.durable ||= options.sent !== undefined;
      return await abortable(expected.promise, options.signal);
    } finally {
      if (--expected.waiters === 0) this.#forget(key, expected);
    }
  }

  /** As `wait`, for an operation that may be another process's, or may have been executed long ago. */
  async waitForAny(key: string, signal: AbortSignal | undefined): Promise<unknown> {
    const outcome = this.wait(key, { signal });
    // Looked up when nothing can be missed any more.
    this.#hearing ??= this.#subscriber.subscribe(this.#keys.settled);
    this.#hearing.then(
      () => this.#ask(key),
      (error: unknown) => this.#report(error),
    );
    return outcome;
  }

  /** Resolves when nothing is waited for. */
  async drained(): Promise<void> {
    if (this.#expected.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Rejects what is waited for, each with an error of its own. */
  close(errorOf: (key: string | undefined, durable: boolean) => Error): void {
    this.#closed = errorOf(undefined, false);
    this.#timer?.cancel();
    for (const [key, expected] of this.#expected) expected.reject(errorOf(key, expected.durable));
  }

  #expect(key: string): Expected {
    let expected = this.#expected.get(key);
    if (expected === undefined) {
      expected = {
        ...Promise.withResolvers<unknown>(),
        waiters: 0,
        durable: false,
        lookAt: performance.now() + PATIENCE,
        patience: PATIENCE,
      };
      // Whoever waits may have aborted.
      expected.promise.catch(() => {});
      this.#expected.set(key, expected);
      this.#timer ??= this.#nextLook();
    }
    expected.waiters++;
    return expected;
  }

  #forget(key: string, expected: Expected): void {
    if (this.#expected.get(key) === expected) this.#expected.delete(key);
    if (this.#expected.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #nextLook(): Timer {
    return startTimer(
      () => {
        this.#timer = this.#closed === undefined && this.#expected.size > 0 ? this.#nextLook() : undefined;
        void this.#lookUp(performance.now());
      },
      PATIENCE,
      { unref: true },
    );
  }

  /** Looks for what is due at `now`. */
  async #lookUp(now: number): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const keys = [...this.#due(now)];
      for (let from = 0; from < keys.length && this.#closed === undefined; from += CHUNK) {
        const chunk = keys.slice(from, from + CHUNK).filter((key) => this.#expected.has(key));
        if (chunk.length > 0) await this.#look(chunk);
      }
    } catch (error) {
      this.#report(error);
    } finally {
      this.#looking = false;
    }
  }

  *#due(now: number): Generator<string> {
    for (const [key, expected] of this.#expected) {
      if (expected.lookAt > now) continue;
      expected.lookAt = performance.now() + expected.patience;
      expected.patience = Math.min(2 * expected.patience, MOST_PATIENCE);
      yield key;
    }
  }

  /** Operations have settled, whoever added them. */
  #hear(keys: readonly string[]): void {
    for (const key of keys) if (this.#expected.has(key)) this.#ask(key);
  }

  /** Looks for a record; all of one tick together. */
  #ask(key: string): void {
    if (this.#asked.push(key) > 1) return;
    setImmediate(() => {
      const asked = this.#asked;
      this.#asked = [];
      for (let from = 0; from < asked.length; from += CHUNK) {
        this.#look(asked.slice(from, from + CHUNK)).catch((error: unknown) => this.#report(error));
      }
    });
  }

  /** Reads the records of operations waited for. */
  async #look(keys: readonly string[]): Promise<void> {
    const records = await this.#redis.mget(keys.map((key) => this.#keys.record(key)));
    for (const [index, record] of records.entries()) {
      if (record !== null) this.#settle(keys[index] as string, record);
    }
  }

  /** What a connection that was closed on purpose says is nobody's concern. */
  #report(error: unknown): void {
    if (this.#closed === undefined) this.#onError(error);
  }

  #settle(key: string, record: string): void {
    const expected = this.#expected.get(key);
    if (expected === undefined) return;
    try {
      expected.resolve(readRecord(key, record));
    } catch (error) {
      expected.reject(error);
    }
  }
}
