import type { RedisCommand } from './redis-client.ts';

/** Commands that wait for somebody else. */
const BLOCKING: ReadonlySet<string> = new Set([
  'blmove',
  'blmpop',
  'blpop',
  'brpop',
  'brpoplpush',
  'bzmpop',
  'bzpopmax',
  'bzpopmin',
  'wait',
  'waitaof',
  'xread',
  'xreadgroup',
]);

/** Commands after which nobody knows what state a connection is in, or which cannot be taken back. */
const IRREVERSIBLE: ReadonlySet<string> = new Set([
  'asking',
  'auth',
  'hello',
  'monitor',
  'psync',
  'quit',
  'readonly',
  'readwrite',
  'reset',
  'sync',
]);
/** Of `CLIENT`, those that only look, or are about others. */
const CLIENT_QUERIES: ReadonlySet<string> = new Set([
  'getname',
  'getredir',
  'id',
  'info',
  'kill',
  'list',
  'pause',
  'setinfo',
  'trackinginfo',
  'unblock',
  'unpause',
]);

/** What the commands of one lease leave behind in their connection. */
export class RedisTraces {
  readonly #home: number;
  #db: number;
  #watching = false;
  #queueing = false;
  readonly #subscribed = new Set<string>();
  #irreversible: string | undefined;

  /** @param home the database to come back to */
  constructor(home: number) {
    this.#home = home;
    this.#db = home;
  }

  /** Why the connection must not be used again. */
  get irreversible(): string | undefined {
    return this.#irreversible;
  }

  /** The commands that subscribed. */
  get subscribed(): readonly string[] {
    return this.#subscribed.size === 0 ? NONE : [...this.#subscribed];
  }

  /** The commands that clear the rest. */
  get clearing(): readonly (readonly [command: string, ...args: number[]])[] {
    if (!this.#queueing && !this.#watching && this.#db === this.#home) return NONE;
    const commands: [string, ...number[]][] = [];
    // What is queued is dropped by it, and what is watched is forgotten.
    if (this.#queueing) commands.push(['discard']);
    else if (this.#watching) commands.push(['unwatch']);
    if (this.#db !== this.#home) commands.push(['select', this.#home]);
    return commands;
  }

  /** All is cleared. */
  reset(): void {
    this.#db = this.#home;
    this.#watching = false;
    this.#queueing = false;
    this.#subscribed.clear();
  }

  note({ name, args }: RedisCommand): void {
    const command = name.toLowerCase();
    const effect = EFFECTS.get(command);
    if (effect !== undefined) this.#take(effect, command, args);
    else if (IRREVERSIBLE.has(command)) this.#irreversible = name;
  }

  #take(effect: Effect, command: string, args: readonly unknown[]): void {
    if (effect === 'watch') this.#watching = true;
    else if (effect === 'queue') this.#queueing = true;
    else if (effect === 'select') this.#db = Number(args[0]);
    else if (effect === 'subscribe') this.#subscribed.add(command);
    else if (effect === 'client') {
      const sub = String(args[0]).toLowerCase();
      if (!CLIENT_QUERIES.has(sub)) this.#irreversible = `client ${sub}`;
    } else {
      this.#watching = false;
      if (effect === 'end') this.#queueing = false;
    }
  }
}

type Effect = 'watch' | 'unwatch' | 'queue' | 'end' | 'select' | 'subscribe' | 'client';

const EFFECTS: ReadonlyMap<string, Effect> = new Map([
  ['watch', 'watch'],
  ['unwatch', 'unwatch'],
  ['multi', 'queue'],
  ['exec', 'end'],
  ['discard', 'end'],
  ['select', 'select'],
  ['subscribe', 'subscribe'],
  ['psubscribe', 'subscribe'],
  ['ssubscribe', 'subscribe'],
  ['client', 'client'],
]);

const NONE: readonly never[] = [];

/** Whether `command` may wait for ever. */
export function isBlocking({ name }: RedisCommand): boolean {
  return BLOCKING.has(name.toLowerCase());
}
