import { Redis } from 'ioredis';
import type { RedisServer } from '@perf/testkit';
import type { HistoryChecker } from './history-checker.ts';
import type { Random } from './random.ts';
import { pause } from './source.ts';

export type Fault = 'restart' | 'hang' | 'lose subscribers' | 'lose connections' | 'forget scripts';

/** What goes wrong with Redis, one fault at a time; each is over when the call returns. */
export class Chaos {
  readonly counts: Record<Fault, number> = {
    restart: 0,
    hang: 0,
    'lose subscribers': 0,
    'lose connections': 0,
    'forget scripts': 0,
  };
  readonly #server: RedisServer;
  readonly #checker: HistoryChecker;
  readonly #random: Random;
  readonly #admin: Redis;

  constructor(server: RedisServer, { checker, random }: { readonly checker: HistoryChecker; readonly random: Random }) {
    this.#server = server;
    this.#checker = checker;
    this.#random = random;
    this.#admin = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    this.#admin.on('error', () => {});
  }

  /** @param hang milliseconds for which a Redis that hangs does so */
  async strike(hang: number): Promise<void> {
    const fault = this.#random.weighted<Fault>([
      [2, 'restart'],
      [2, 'hang'],
      [3, 'lose subscribers'],
      [2, 'lose connections'],
      [1, 'forget scripts'],
    ]);
    this.counts[fault]++;
    this.#checker.note(`Redis: ${fault}`);
    await this.#strike(fault, hang);
    this.#checker.note(`Redis: ${fault} is over`);
  }

  close(): void {
    this.#admin.disconnect();
  }

  async #strike(fault: Fault, hang: number): Promise<void> {
    switch (fault) {
      case 'restart':
        await this.#server.kill('SIGKILL');
        await pause(this.#random.below(150));
        await this.#server.restart();
        return;
      case 'hang':
        return this.#hang(this.#random.chance(0.5) ? hang : hang / 4);
      case 'lose subscribers':
        await this.#admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        return;
      case 'lose connections':
        await this.#admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        return;
      case 'forget scripts':
        await this.#admin.script('FLUSH');
        return;
      default:
        return fault satisfies never;
    }
  }

  async #hang(ms: number): Promise<void> {
    const id = /process_id:(\d+)/.exec(await this.#admin.info('server'))?.[1];
    if (id === undefined) throw new Error('Redis does not say what process it is');
    process.kill(Number(id), 'SIGSTOP');
    try {
      await pause(ms);
    } finally {
      process.kill(Number(id), 'SIGCONT');
    }
  }
}
