/**
 * A million operations against a peer and callbacks that misbehave at random: `node --expose-gc test/chaos.ts [operations]`. Not a test: it takes
 * minutes. Ends with an error when a connection has two owners, there are more than allowed, a caller hangs, a count does not add up or
 * memory grows.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { ConnectionPool, type Lease } from '../src/index.ts';

interface Connection {
  readonly lost: (reason?: unknown) => void;
  owner: number | undefined;
  alive: boolean;
  /** `create` gave it a second time: it may be destroyed before the pool has seen that. */
  again: boolean;
}

const OPERATIONS = Number(process.argv[2] ?? 1_000_000);
const WORKERS = 64;
const MAX = 16;

const chance = (share: number): boolean => Math.random() < share;
const never = (): Promise<never> => new Promise(() => {});
const tally: Record<string, number> = {};
const count = (what: string): void => void (tally[what] = (tally[what] ?? 0) + 1);

let live = 0;
let destroyed = 0;

/** Kept, since the pool drops what its callbacks throw. */
let failure: Error | undefined;

function assert(condition: boolean, what: string): asserts condition {
  if (condition) return;
  failure ??= new Error(`${what}: ${JSON.stringify(pool.stats())}`);
  throw failure;
}

let last: Connection | undefined;

async function create(lost: Connection['lost']): Promise<Connection> {
  if (chance(0.01)) throw new Error('refused');
  if (chance(0.002)) return undefined as never;
  if (chance(0.002) && last?.alive === true) {
    last.again = true;
    return last;
  }
  if (chance(0.002)) return never();
  if (chance(0.2)) await sleep(1);
  live++;
  const connection: Connection = { lost, owner: undefined, alive: true, again: false };
  last = connection;
  if (chance(0.01)) setImmediate(() => lost(new Error('reset by peer')));
  return connection;
}

function misbehave<T>(good: T): T | Promise<T> {
  if (chance(0.002)) throw new Error('bad');
  if (chance(0.002)) return Promise.reject(new Error('bad'));
  if (chance(0.000_5)) return never();
  if (chance(0.05)) return sleep(0, good);
  return good;
}

const pool: ConnectionPool<Connection> = new ConnectionPool<Connection>({
  create: ({ lost }) => create(lost),
  destroy: (connection) => {
    assert(connection.alive || connection.again, 'destroyed twice');
    if (connection.alive) live--;
    connection.alive = false;
    destroyed++;
    return misbehave(undefined);
  },
  validate: (connection) => (chance(0.002) || !connection.alive ? false : misbehave(true)),
  reset: () => misbehave(undefined),
  isFatal: () => chance(0.5),
  isFailover: () => chance(0.01),
  onError: () => {
    if (chance(0.01)) throw new Error('a bad observer');
    return (chance(0.01) ? Promise.reject(new Error('a bad observer')) : undefined) as undefined;
  },
  max: MAX,
  min: 4,
  maxUses: 5_000,
  validateAfterIdle: 0,
  keepaliveInterval: 50,
  idleTimeout: 100,
  maxLifetime: 5_000,
  createTimeout: 30,
  validateTimeout: 30,
  destroyTimeout: 30,
  acquireTimeout: 2_000,
});

let begun = 0;
let served = 0;

async function hold(lease: Lease<Connection>, worker: number): Promise<void> {
  served++;
  const { connection } = lease;
  assert(connection.owner === undefined, 'two owners');
  assert(connection.alive || connection.again, 'lent after its end');
  connection.owner = worker;
  if (chance(0.02)) await sleep(0);
  assert(connection.owner === worker, 'two owners');
  connection.owner = undefined;
}

async function operate(worker: number): Promise<void> {
  if (chance(0.01)) {
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('aborted')));
    const lease = await pool.acquire({ signal: controller.signal });
    await hold(lease, worker);
    lease.release();
    return;
  }
  if (chance(0.3)) {
    const lease = await pool.acquire(chance(0.01) ? { timeout: 1 } : undefined);
    await hold(lease, worker);
    if (chance(0.002)) lease.connection.lost(new Error('reset by peer'));
    if (chance(0.005)) lease.discard(chance(0.5) ? new Error('broken') : undefined);
    else lease.release();
    return;
  }
  await pool.use(async (connection) => {
    served++;
    assert(connection.alive || connection.again, 'lent after its end');
    assert(connection.owner === undefined, 'two owners');
    connection.owner = worker;
    if (chance(0.02)) await sleep(0);
    connection.owner = undefined;
    if (chance(0.005)) throw new Error('mine');
  });
}

async function work(worker: number): Promise<void> {
  while (begun < OPERATIONS) {
    begun++;
    try {
      await operate(worker);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === undefined && !['mine', 'aborted'].includes(message)) throw error;
      count(code ?? message);
    }
    const { size, idle, inUse, creating, checking, destroying } = pool.stats();
    assert(size === idle + inUse + creating + checking + destroying, 'the states do not add up');
    assert(size <= MAX, 'more than max');
  }
}

async function disturb(): Promise<void> {
  while (begun < OPERATIONS) {
    await sleep(5);
    if (chance(0.05)) pool.evictAll();
    if (chance(0.05)) pool.evictIdle();
    if (chance(0.1)) pool.resize({ max: 4 + Math.floor(Math.random() * (MAX - 3)) });
    if (chance(0.02)) {
      pool.pause();
      await sleep(2);
      pool.resume();
    }
  }
}

const heaps: number[] = [];

async function weigh(): Promise<void> {
  let next = OPERATIONS / 10;
  while (begun < OPERATIONS) {
    await sleep(20);
    if (begun < next) continue;
    next += OPERATIONS / 10;
    globalThis.gc?.();
    heaps.push(process.memoryUsage().heapUsed);
  }
}

const began = performance.now();
await Promise.all([...Array.from({ length: WORKERS }, (_, worker) => work(worker)), disturb(), weigh()]);
const took = performance.now() - began;
pool.resize({ max: MAX });
const stats = pool.stats();
assert(stats.acquired === served, 'leases and servings differ');
assert(stats.inUse === 0 && stats.waiting === 0, 'somebody still has or wants a connection');
await pool.close({ timeout: 1_000 });
const end = pool.stats();
assert(end.size === 0, 'something is left after close()');
assert(end.created === end.destroyed, 'created and destroyed differ');
assert(live === 0, `the peer has ${live} connections left`);
const early = Math.min(...heaps.slice(1, 4));
const late = Math.min(...heaps.slice(-3));
assert(!(late > early * 1.2 + 1e6), `memory grows: ${heaps.map((each) => Math.round(each / 1e5) / 10).join(', ')} MB`);
if (failure !== undefined) throw failure;
const report = { operations: begun, seconds: took / 1_000, served, destroyed, tally, end };
process.stdout.write(`${inspect(report)}\nheap, MB: ${heaps.map((each) => Math.round(each / 1e5) / 10).join(' ')}\n`);
