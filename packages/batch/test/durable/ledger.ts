import { Redis } from 'ioredis';

/** What the processes of the chaos test pass around. */
export interface LedgerOp {
  readonly key: string;
  readonly seq: number;
  readonly poison: boolean;
}

export const idempotencyKeyOf = (op: LedgerOp): string => `${op.key}/${op.seq}`;

/** A store that does as stores should: an idempotency key takes effect once, and a fence lower than the highest seen for the key is refused. */
const APPLY = `
local answers = {}
for i = 2, #ARGV, 3 do
  local id, key, seq = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if tonumber(redis.call('HGET', 'fences', key) or 0) > tonumber(ARGV[1]) then
    redis.call('INCR', 'refused')
    answers[#answers + 1] = 'stale'
  else
    redis.call('HSET', 'fences', key, ARGV[1])
    if redis.call('HSETNX', 'applied', id, seq) == 1 then
      redis.call('RPUSH', 'log:' .. key, seq)
    else
      redis.call('INCR', 'delivered-again')
    end
    answers[#answers + 1] = 'ok'
  end
end
return answers`;

/** The store in a Redis of its own, which is not killed. */
export class Ledger {
  readonly #redis: Redis;

  constructor(url: string) {
    this.#redis = new Redis(url);
  }

  async apply(ops: readonly LedgerOp[], fence: number): Promise<(number | Error)[]> {
    const args = ops.flatMap((op) => [idempotencyKeyOf(op), op.key, op.seq]);
    const answers = (await this.#redis.eval(APPLY, 0, fence, ...args)) as string[];
    return answers.map((answer, index) => (answer === 'ok' ? (ops[index] as LedgerOp).seq * 2 : new Error(answer)));
  }

  /** The order in which operations of each key took effect. */
  async logs(): Promise<Map<string, number[]>> {
    const logs = new Map<string, number[]>();
    for (const key of await this.#redis.keys('log:*')) {
      logs.set(key.slice(4), (await this.#redis.lrange(key, 0, -1)).map(Number));
    }
    return logs;
  }

  async counts(): Promise<{ readonly refused: number; readonly deliveredAgain: number }> {
    const [refused, deliveredAgain] = await this.#redis.mget('refused', 'delivered-again');
    return { refused: Number(refused), deliveredAgain: Number(deliveredAgain) };
  }

  close(): void {
    this.#redis.disconnect();
  }
}
