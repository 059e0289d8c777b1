import type { Comparison, Contender } from '../comparison.ts';
import { connPoolPg } from './conn-pool-pg.ts';
import { OURS, PATIENT, POOLS, type Resource } from '../conn-pools/contenders.ts';

const MAX = 10;
const ACQUIRE_TIMEOUT = 30_000;

/** `workers` loops that acquire and release as fast as they can, on 10 resources. */
async function contended(
  workers: number,
  names: readonly string[],
  timeout: { acquireTimeout?: number },
): Promise<Contender[]> {
  return Promise.all(
    names.map(async (name): Promise<Contender> => {
      let created = 0;
      const create = (): Promise<Resource> => {
        created++;
        return Promise.resolve({ uses: 0 });
      };
      const pool = POOLS[name]?.({ max: MAX, min: 0, create, ...timeout });
      if (pool === undefined) throw new Error(`there is no pool "${name}"`);
      // All there before anything is measured.
      const first = await Promise.all(Array.from({ length: MAX }, () => pool.acquire()));
      for (const held of first) pool.release(held);
      return {
        name,
        ours: name === OURS,
        run: async (iterations) => {
          const share = Math.ceil(iterations / workers);
          const loop = async (): Promise<number> => {
            for (let i = 0; i < share; i++) {
              const held = await pool.acquire();
              pool.resourceOf(held).uses++;
              pool.release(held);
            }
            return share;
          };
          const counts = await Promise.all(Array.from({ length: workers }, loop));
          if (created > MAX) throw new Error(`${name} has created ${created} resources instead of ${MAX}`);
          return counts.reduce((sum, count) => sum + count, 0);
        },
        close: () => pool.close(),
      };
    }),
  );
}

const WORKERS = [1, 10, 100, 1_000] as const;

const withTimeout: readonly Comparison[] = WORKERS.map((workers) => ({
  package: 'conn-pool',
  title: `acquire and release, 10 resources, ${workers.toLocaleString('en')} at a time, acquire timeout set`,
  unit: 'acquire and release',
  contenders: () => contended(workers, Object.keys(POOLS), { acquireTimeout: ACQUIRE_TIMEOUT }),
}));

const withoutTimeout: readonly Comparison[] = WORKERS.map((workers) => ({
  package: 'conn-pool',
  title: `acquire and release, 10 resources, ${workers.toLocaleString('en')} at a time, no acquire timeout`,
  unit: 'acquire and release',
  contenders: () => contended(workers, PATIENT, {}),
}));

export const connPool: readonly Comparison[] = [...withTimeout, ...withoutTimeout, ...connPoolPg];
