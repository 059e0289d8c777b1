import { type RedisServer, startRedis } from '@perf/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DurableFailedError, durableBatcher } from '../src/bullmq.ts';
import { Child } from './durable/child.ts';
import { Ledger, type LedgerOp, idempotencyKeyOf } from './durable/ledger.ts';

const EACH = 5000;
const NAMES = ['left', 'right'] as const;
const POISON = 5;

let queue: RedisServer;
let store: RedisServer;
beforeAll(async () => {
  queue = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  store = await startRedis();
});
afterAll(async () => {
  await Child.killAll();
  await Promise.all([queue.stop(), store.stop()]);
});

const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));

/** A producer that is started again after each kill, until it has added all. */
class Producer {
  readonly #name: string;
  #child: Child | undefined;
  durable = 0;

  constructor(name: string) {
    this.#name = name;
  }

  async run(): Promise<void> {
    do {
      const args = [queue.url, this.#name, String(this.durable), String(EACH)];
      this.#child = new Child('chaos-producer.ts', args, (line) => (this.durable = Number(line)));
    } while (!(await this.#child.finished()));
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }
}

/** Kills and halts this and that, in turn and at any moment, until the signal aborts. */
async function harm(producers: readonly Producer[], workers: Child[], signal: AbortSignal): Promise<number> {
  const start = (): Child => new Child('chaos-worker.ts', [queue.url, store.url]);
  let kills = 0;
  const halts: Promise<void>[] = [];
  // An end to it, or on a slow machine nobody would get anywhere between two kills.
  while (!signal.aborted && kills < 30) {
    await pause(200 + Math.random() * 300);
    const which = kills % workers.length;
    if (kills % 5 === 0) {
      await queue.kill('SIGKILL');
      if (kills % 10 === 5) {
        // Nobody is left.
        await Promise.all([...producers, ...workers].map((each) => each.kill()));
        workers.splice(0, workers.length, ...workers.map(start));
      }
      await pause(Math.random() * 400);
      await queue.restart();
    } else if (kills % 5 === 1) {
      await producers[kills % 2]?.kill();
    } else if (kills % 5 === 2) {
      // Beyond the 1,000 ms of its locks.
      halts.push(workers[which]?.pause(2200) ?? pause(0));
    } else {
      await workers[which]?.kill();
      workers[which] = start();
    }
    kills++;
  }
  await Promise.all(halts);
  return kills;
}

function expected(): LedgerOp[] {
  return NAMES.flatMap((name) =>
    Array.from({ length: EACH }, (_, seq) => ({ key: `${name}-${seq % 40}`, seq, poison: seq % 1000 === 999 })),
  );
}

test('10,000 operations survive the killing of producers, workers and Redis: none lost, none twice, in order', async () => {
  const producers = NAMES.map((name) => new Producer(name));
  const workers = Array.from({ length: 3 }, () => new Child('chaos-worker.ts', [queue.url, store.url]));
  const over = new AbortController();
  const harmed = harm(producers, workers, over.signal);
  await Promise.all(producers.map((producer) => producer.run()));
  over.abort();
  const kills = await harmed;

  const batcher = durableBatcher<LedgerOp, number>({ name: 'chaos', connection: queue.url });
  const ops = expected();
  const results = await Promise.allSettled(ops.map((op) => batcher.result(idempotencyKeyOf(op))));
  const stats = await batcher.stats();
  const dead: string[] = [];
  for await (const { key } of batcher.deadLetters()) dead.push(key);
  await Promise.all(workers.map((worker) => worker.kill()));
  const ledger = new Ledger(store.url);
  const logs = await ledger.logs();
  const { deliveredAgain } = await ledger.counts();
  ledger.close();
  await batcher.close();

  // Else nothing was tested.
  expect(kills).toBeGreaterThan(10);
  expect(deliveredAgain).toBeGreaterThan(0);
  expect(producers.map((producer) => producer.durable)).toEqual([EACH, EACH]);
  for (const [index, op] of ops.entries()) {
    const result = results[index] as PromiseSettledResult<number>;
    if (op.poison) expect(result).toMatchObject({ status: 'rejected', reason: expect.any(DurableFailedError) });
    else expect(result).toEqual({ status: 'fulfilled', value: op.seq * 2 });
  }
  const wanted = new Map<string, number[]>();
  for (const { key, seq, poison } of ops) if (!poison) wanted.set(key, [...(wanted.get(key) ?? []), seq]);
  expect(logs).toEqual(wanted);
  expect(dead.sort()).toEqual(
    ops
      .filter((op) => op.poison)
      .map(idempotencyKeyOf)
      .sort(),
  );
  expect(dead).toHaveLength(NAMES.length * POISON);
  expect(stats).toMatchObject({ succeeded: ops.length - dead.length, failed: dead.length });
}, 120_000);
