import { seededRandom } from '@perf/testkit';
import { expect, vi } from 'vitest';
import {
  type AcquireOptions,
  AcquireTimeoutError,
  ConnectionPool,
  PoolDeadlockError,
  type ConnectionPoolOptions,
  type Lease,
} from '../src/index.ts';
import { type FakeConnection, FakePeer } from './fake-peer.ts';

interface Caller {
  readonly id: number;
  readonly priority: number;
  readonly came: number;
  readonly timeout: number;
  readonly controller: AbortController | undefined;
  /**
   * The moment it came. It may be the better one, but have come too late, when others heard already that they are served; or be served first, in
   * the call in which it came, and hear of it last, since nothing listened before that call was over.
   */
  readonly moment: number;
  state: 'waiting' | 'aborting' | 'served' | 'failed';
}

interface Held {
  readonly lease: Lease<FakeConnection>;
  readonly connection: FakeConnection;
}

/** One point is a second, and nobody waits that long here. */
const PRIORITIES: readonly number[] = [0, 0.004, 0.012];
const ACQUIRE_TIMEOUT = 25;
const AGING = 1_000;

/** Walks at random through what may happen to a pool, and knows at each step what must be true. */
export class Walker {
  readonly peer: FakePeer = new FakePeer();
  readonly pool: ConnectionPool<FakeConnection>;
  readonly #random: () => number;
  readonly #limit: number;
  /** In the order they came; those in front may have settled. */
  readonly #lines: Caller[][] = PRIORITIES.map(() => []);
  readonly #held: Held[] = [];
  readonly #ended: Lease<FakeConnection>[] = [];
  readonly #owners = new Map<FakeConnection, number>();
  readonly #lost = new WeakSet<FakeConnection>();
  readonly #log: string[] = [];
  /** Fewer callers than it could serve: connections are idle now and then. */
  readonly #isCalm: boolean;
  /** Every create succeeds, and no connection is lost: the pool has no reason to wait before it opens the next. */
  readonly #isSound: boolean;
  #waiting = 0;
  #callers = 0;
  /** How many `use()` run. */
  #using = 0;
  /** Grows when all who were served have heard of it. */
  #moment = 0;
  #max: number;
  /** How many places were taken when the pool was made smaller: it may have more than `max` until they are given back, but never one more. */
  #surplus = 0;
  #fitness: 'fit' | 'unfit' | 'throws' | 'hangs' | 'slow' | 'slowly unfit' = 'fit';
  #violation: string | undefined;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#max = 1 + this.#upTo(4);
    this.#limit = this.#upTo(3) === 0 ? 3 : 1;
    this.#isCalm = this.#upTo(3) === 0;
    this.#isSound = this.#upTo(3) === 0;
    this.peer.destroyDelay = this.#upTo(2) * 7;
    this.pool = new ConnectionPool<FakeConnection>(this.#options());
  }

  #options(): ConnectionPoolOptions<FakeConnection> {
    return {
      ...this.peer.callbacks,
      min: this.#upTo(2) === 0 ? 0 : this.#max - 1,
      max: this.#max,
      maxLeasesPerConnection: this.#limit,
      maxWaiting: 12,
      maxConcurrentCreates: 2,
      acquireTimeout: ACQUIRE_TIMEOUT,
      createTimeout: 20,
      validateTimeout: 10,
      validateAfterIdle: 3,
      idleTimeout: 30,
      maxLifetime: this.#upTo(2) === 0 ? Infinity : 100,
      maxUses: this.#upTo(3) === 0 ? 5 : Infinity,
      order: this.#upTo(2) === 0 ? 'lifo' : 'fifo',
      detectDeadlocks: this.#upTo(2) === 0,
      leakThreshold: this.#upTo(4) === 0 ? 15 : Infinity,
      onLeak: () => {},
      ...(this.#upTo(2) === 0 ? { validate: () => this.#check() } : {}),
      ...(this.#upTo(2) === 0 ? { reset: () => this.#check() } : {}),
    };
  }

  /** Does something, lets everything that follows from it happen, and looks whether all is as it must be. */
  async step(closely: boolean): Promise<void> {
    await this.#act();
    await settle();
    this.#moment++;
    this.#look(closely);
  }

  /** Closes the pool: everybody must settle, and nothing may be left. */
  async end(): Promise<void> {
    this.#note('close');
    this.peer.hangs = false;
    this.#fitness = 'fit';
    const force = this.#upTo(2) === 0;
    let closed = false;
    // Not in the tick of force: a use() that was served, and robbed before it began, hears of it after those served later.
    if (this.pool.paused && !force && this.#upTo(2) === 0) this.pool.resume();
    void this.pool.close(force ? { force } : { timeout: 200 }).then(() => (closed = true));
    await settle();
    for (let i = 0; i < 20; i++) {
      if (this.#held.length > 0 && this.#upTo(2) === 0) this.#endOne('release');
      await this.#time(2);
    }
    await this.#time(400);
    this.#look(false);
    this.#must(closed, 'close() has not settled');
    this.#must(this.#waiting === 0, `${this.#waiting} still wait`);
    this.#must(this.peer.live === 0, `${this.peer.live} connections live on`);
    expect(this.pool.stats(), this.#story()).toMatchObject({ size: 0, waiting: 0, inUse: 0, leases: 0 });
    expect(vi.getTimerCount(), this.#story()).toBe(0);
  }

  #upTo(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  async #act(): Promise<void> {
    const dice = this.#upTo(100);
    if (this.#isCalm && dice < 18) this.#endOne('release');
    else if (dice < 28) this.#acquire();
    else if (dice < 36) void this.#use(0);
    else if (dice < 39) this.#tryAcquire();
    else if (dice < 68) this.#endOne('release');
    else if (dice < 71) this.#endOne('discard');
    else if (dice < 75) this.#abort();
    else if (dice < 77) this.#endAgain();
    else if (dice < 80) this.#lose();
    else if (dice < 94) await this.#time(1 + this.#upTo(4));
    else if (dice < 96) this.#mood();
    else if (dice < 98) this.#fit();
    else this.#manage();
  }

  #acquire(): void {
    const { caller, options } = this.#comes('acquire');
    this.pool.acquire(options).then(
      (lease) => {
        this.#served(caller);
        this.#receive(lease);
      },
      (error: unknown) => this.#failed(caller, error),
    );
  }

  /** A `use()`, and sometimes another one inside of it. */
  async #use(depth: number): Promise<void> {
    const { caller, options } = this.#comes('use');
    // Served at once, it may run before those that were served earlier and have not run yet: nobody waits any more by then.
    const { waiting } = this.pool.stats();
    let isCalling = true;
    const work = async (connection: FakeConnection): Promise<void> => {
      if (isCalling) this.#must(waiting === 0, `${caller.id} has overtaken those who wait`);
      this.#served(caller, !isCalling);
      this.#owns(connection);
      this.#using++;
      try {
        if (this.#upTo(2) === 0) await new Promise((resolve) => setTimeout(resolve, this.#upTo(6)));
        if (depth < 2 && this.#upTo(3) === 0) await this.#use(depth + 1);
        if (this.#upTo(6) === 0) throw new Error('mine');
      } finally {
        this.#using--;
        this.#owners.set(connection, (this.#owners.get(connection) ?? 0) - 1);
      }
    };
    const used = this.pool.use(work, options);
    isCalling = false;
    await used.catch((error: unknown) => {
      if (caller.state === 'waiting' || caller.state === 'aborting') this.#failed(caller, error);
    });
  }

  #comes(how: string): { caller: Caller; options: AcquireOptions } {
    const line = this.#upTo(4) === 0 ? this.#upTo(PRIORITIES.length) : 0;
    const priority = PRIORITIES[line] ?? 0;
    const timeout = this.#upTo(4) === 0 ? 1 + this.#upTo(50) : ACQUIRE_TIMEOUT;
    const controller = this.#upTo(4) === 0 ? new AbortController() : undefined;
    const came = performance.now();
    const moment = this.#moment;
    const caller: Caller = { id: this.#callers++, priority, came, timeout, controller, moment, state: 'waiting' };
    this.#note(`${how} ${caller.id} priority ${priority} timeout ${timeout}`);
    this.#lines[line]?.push(caller);
    this.#waiting++;
    const signal = controller?.signal;
    return { caller, options: { priority, ...(timeout === ACQUIRE_TIMEOUT ? {} : { timeout }), signal } };
  }

  #tryAcquire(): void {
    const before = this.#waiting;
    const lease = this.pool.tryAcquire();
    this.#note(`tryAcquire ${lease !== undefined}`);
    if (lease === undefined) return;
    this.#must(before === 0, 'tryAcquire() has overtaken those who wait');
    this.#receive(lease);
  }

  #served(caller: Caller, inTurn = true): void {
    // An abort may come when it is served already.
    this.#must(caller.state === 'waiting' || caller.state === 'aborting', `${caller.id} settled twice`);
    this.#must(!inTurn || this.#isNext(caller), `${caller.id} is served before its turn`);
    caller.state = 'served';
    this.#waiting--;
    this.#note(`${caller.id} is served`);
  }

  #failed(caller: Caller, error: unknown): void {
    this.#must(caller.state === 'waiting' || caller.state === 'aborting', `${caller.id} settled twice`);
    const waited = performance.now() - caller.came;
    if (error instanceof AcquireTimeoutError) {
      this.#must(waited === caller.timeout, `${caller.id} timed out after ${waited} of ${caller.timeout} ms`);
    }
    if (error instanceof PoolDeadlockError) {
      this.#must(this.#held.length === 0, 'a deadlock is told of while somebody may give a connection back');
    }
    caller.state = 'failed';
    this.#waiting--;
    this.#note(`${caller.id} fails after ${waited} ms: ${error instanceof Error ? error.name : String(error)}`);
  }

  /** Whether nobody is before `caller`: none of its own priority that came earlier, none of another that has waited enough to go first. */
  #isNext(caller: Caller): boolean {
    const rank = (each: Caller): number => each.came - AGING * each.priority;
    return this.#lines.every((line) => {
      while (line[0] !== undefined && (line[0].state === 'served' || line[0].state === 'failed')) line.shift();
      const [first] = line;
      // Equal ones, and those between which rounding decides, may go either way; within a line the order is strict.
      return (
        first === undefined ||
        first.moment === this.#moment ||
        first === caller ||
        (first.priority !== caller.priority && rank(caller) <= rank(first) + 1e-6)
      );
    });
  }

  #receive(lease: Lease<FakeConnection>): void {
    let connection: FakeConnection;
    try {
      ({ connection } = lease);
    } catch {
      this.#must(this.pool.closed, 'got a lease that is void');
      return;
    }
    this.#owns(connection);
    this.#held.push({ lease, connection });
  }

  /** Somebody has got `connection`. */
  #owns(connection: FakeConnection): void {
    const owners = (this.#owners.get(connection) ?? 0) + 1;
    this.#must(owners <= this.#limit, `connection ${connection.id} has ${owners} owners`);
    this.#must(!this.#lost.has(connection), `connection ${connection.id} is lent, but lost`);
    this.#must(connection.alive, `connection ${connection.id} is lent, but destroyed`);
    this.#owners.set(connection, owners);
  }

  #endOne(how: 'release' | 'discard'): void {
    if (this.#held.length === 0) return;
    const index = this.#upTo(this.#held.length);
    const [held] = this.#held.splice(index, 1);
    if (held === undefined) return;
    const { lease, connection } = held;
    this.#note(`${how} of connection ${connection.id}`);
    this.#owners.set(connection, (this.#owners.get(connection) ?? 0) - 1);
    lease[how]();
    this.#ended[this.#upTo(10)] = lease;
  }

  #endAgain(): void {
    const lease = this.#ended[this.#upTo(10)];
    if (lease === undefined) return;
    let refused = false;
    try {
      lease.release();
    } catch {
      refused = true;
    }
    this.#must(refused, 'a lease ended twice');
  }

  #abort(): void {
    const line = this.#lines[this.#upTo(3)] ?? [];
    const caller = line[this.#upTo(line.length)];
    if (caller?.controller === undefined || caller.state !== 'waiting') return;
    this.#note(`abort ${caller.id}`);
    caller.state = 'aborting';
    caller.controller.abort('aborted');
  }

  #lose(): void {
    const { connections } = this.peer;
    const connection = connections[connections.length - 1 - this.#upTo(6)];
    if (this.#isSound || connection?.alive !== true) return;
    this.#note(`lose connection ${connection.id}`);
    this.#lost.add(connection);
    connection.lost(new Error('lost'));
  }

  async #time(ms: number): Promise<void> {
    this.#note(`${ms} ms`);
    for (let i = 0; i < ms; i++) {
      vi.advanceTimersByTime(1);
      await settle();
      this.#moment++;
    }
  }

  #mood(): void {
    const mood = this.#isSound ? 3 + 2 * this.#upTo(2) : this.#upTo(8);
    this.#note(`mood ${mood}`);
    this.peer.down = mood === 1 ? new Error('down') : undefined;
    this.peer.hangs = mood === 2;
    this.peer.createDelay = [0, 0, 0, 5, 30][mood] ?? 0;
  }

  #fit(): void {
    this.#fitness = (['unfit', 'throws', 'hangs', 'slow', 'slow', 'slowly unfit'] as const)[this.#upTo(9)] ?? 'fit';
    this.#note(this.#fitness);
  }

  #manage(): void {
    const dice = this.#upTo(6);
    this.#note(`manage ${dice}`);
    if (dice === 0) this.pool.evictIdle();
    else if (dice === 1) this.pool.evictAll();
    else if (dice === 2) this.#resize(1 + this.#upTo(4));
    else if (dice === 3) this.pool.pause();
    else this.pool.resume();
  }

  #resize(max: number): void {
    this.#surplus = Math.max(this.#surplus, this.pool.stats().size);
    this.pool.resize({ min: Math.min(max, this.#upTo(3)), max });
    this.#max = max;
  }

  #check(): boolean | Promise<boolean> {
    if (this.#fitness === 'throws') throw new Error('unfit');
    if (this.#fitness === 'hangs') return new Promise(() => {});
    const fit = this.#fitness === 'slow';
    if (fit || this.#fitness === 'slowly unfit') return new Promise((resolve) => setTimeout(() => resolve(fit), 4));
    return this.#fitness === 'fit';
  }

  #look(closely: boolean): void {
    const { live } = this.peer;
    this.#must(live <= Math.max(this.#max, this.#surplus), `${live} connections live`);
    if (this.#violation !== undefined) throw new Error(this.#violation + this.#story());
    if (closely) this.#lookClosely();
  }

  #lookClosely(): void {
    const stats = this.pool.stats();
    const { size, idle, inUse, leases, creating, checking, destroying, waiting, created, destroyed } = stats;
    this.#surplus = Math.min(this.#surplus, size);
    this.#must(size <= Math.max(this.#max, this.#surplus), `${size} of ${this.#max} places are taken`);
    this.#must(size === idle + inUse + creating + checking + destroying, 'the states do not sum up to the size');
    this.#must(created - destroyed === idle + inUse + checking + destroying, 'connections are missing');
    this.#must(waiting === this.#waiting, `${waiting} wait, not ${this.#waiting}`);
    this.#must(leases === this.#held.length + this.#using, `${leases} leases are out, not ${this.#held.length}`);
    const isMinded = idle === 0 || waiting <= checking * this.#limit || this.pool.paused;
    this.#must(isMinded, 'somebody waits while a connection is idle and none is validated for them');
    const opens = creating > 0 || size >= this.#max || this.pool.paused || !this.#isSound;
    this.#must(opens || waiting === 0 || checking > 0, 'somebody waits while there is room, and nothing is opened');
    this.#must(opens || idle + inUse + checking >= stats.min, 'fewer than min, and nothing is opened');
    this.#must(
      Object.values(stats).every((value) => value >= 0),
      'something is negative',
    );
    if (this.#violation !== undefined) throw new Error(this.#violation + this.#story());
  }

  #must(holds: boolean, complaint: string): void {
    if (!holds) this.#violation ??= complaint;
  }

  #note(what: string): void {
    this.#log.push(what);
    if (this.#log.length > 200) this.#log.splice(0, 100);
  }

  #story(): string {
    return `\n${this.#log.slice(-40).join('\n')}`;
  }
}

// The one of Node.js, not of the fake time.
const { setImmediate: atEndOfTurn } = globalThis;

/** Lets all promises settle that are due. */
function settle(): Promise<void> {
  return new Promise((resolve) => void atEndOfTurn(resolve));
}
