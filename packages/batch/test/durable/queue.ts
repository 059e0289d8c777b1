import { type RedisServer, startRedis } from '@perf/testkit';
import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  type DurableBatcher,
  type DurableBatcherOptions,
  type DurableWorker,
  type DurableWorkerOptions,
  durableBatcher,
  durableWorker,
} from '../../src/bullmq.ts';

/** An operation of the tests. */
export interface Op {
  readonly key?: string;
  readonly value: number;
}

/** Producers and workers of one queue, on a Redis of the test file's own. Each test has a queue of its own. */
export class TestQueue {
  server!: RedisServer;
  name: string = 'queue-0';
  #count = 0;
  #open: (DurableBatcher<Op, unknown> | DurableWorker<Op, unknown>)[] = [];

  constructor(args?: readonly string[]) {
    beforeAll(async () => {
      this.server = await startRedis(args);
    });
    afterAll(() => this.server.stop());
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((each) => each.close({ timeout: 1 })));
      this.name = `queue-${++this.#count}`;
    });
  }

  batcher<R = unknown>(options: Partial<DurableBatcherOptions<Op>> = {}): DurableBatcher<Op, R> {
    const batcher = durableBatcher<Op, R>({
      name: this.name,
      connection: this.server.url,
      orderingKey: (op) => op.key,
      ...options,
    });
    this.#open.push(batcher);
    return batcher;
  }

  worker<R>(
    execute: DurableWorkerOptions<Op, R>['execute'],
    options: Partial<DurableWorkerOptions<Op, R>> = {},
  ): DurableWorker<Op, R> {
    const { name, server } = this;
    const worker = durableWorker<Op, R>({ name, connection: server.url, lockDuration: 500, execute, ...options });
    this.#open.push(worker);
    return worker;
  }
}

/** Resolves when `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
