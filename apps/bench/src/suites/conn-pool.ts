import { ConnectionPool } from '@perf/conn-pool';
import { createPool } from 'generic-pool';
import { Pool as Tarn } from 'tarn';
import type { Comparison, Contender } from '../comparison.ts';

const MAX = 10;
const ACQUIRE_TIMEOUT = 30_000;

interface Resource {
  uses: number;
}

interface AnyPool {
  readonly name: string;
  readonly ours?: boolean;
  /** Takes a resource, counts a use, gives it back. */
  use(): Promise<number>;
  close(): unknown;
}

const create = (): Promise<Resource> => Promise.resolve({ uses: 0 });
const destroy = (): Promise<void> => Promise.resolve();

function ours(): AnyPool {
  const pool = new ConnectionPool<Resource>({ create, destroy, max: MAX, acquireTimeout: ACQUIRE_TIMEOUT });
  return {
    name: '@perf/conn-pool',
    ours: true,
    use: async () => {
      const lease = await pool.acquire();
      lease.connection.uses++;
      lease.release();
      return 1;
    },
    close: () => pool.close(),
  };
}

function genericPool(): AnyPool {
  const pool = createPool<Resource>({ create, destroy }, { max: MAX, acquireTimeoutMillis: ACQUIRE_TIMEOUT });
  return {
    name: 'generic-pool',
    use: async () => {
      const resource = await pool.acquire();
      resource.uses++;
      await pool.release(resource);
      return 1;
    },
    close: async () => {
      await pool.drain();
      await pool.clear();
    },
  };
}

function tarn(): AnyPool {
  const pool = new Tarn<Resource>({
    create,
    destroy: () => {},
    min: 0,
    max: MAX,
    acquireTimeoutMillis: ACQUIRE_TIMEOUT,
  });
  return {
    name: 'tarn',
    use: async () => {
      const resource = await pool.acquire().promise;
      resource.uses++;
      pool.release(resource);
      return 1;
    },
    close: () => pool.destroy(),
  };
}

/** `workers` loops that acquire and release as fast as they can, on 10 resources. */
function contended(workers: number): Contender[] {
  return [ours(), genericPool(), tarn()].map((pool) => ({
    name: pool.name,
    ours: pool.ours === true,
    run: async (iterations) => {
      const share = Math.ceil(iterations / workers);
      const loop = async (): Promise<number> => {
        let done = 0;
        for (let i = 0; i < share; i++) done += await pool.use();
        return done;
      };
      const counts = await Promise.all(Array.from({ length: workers }, loop));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    close: () => pool.close(),
  }));
}

export const connPool: readonly Comparison[] = [1, 10, 100, 1_000].map((workers) => ({
  package: 'conn-pool',
  title: `acquire and release, 10 resources, ${workers.toLocaleString('en')} at a time, acquire timeout set`,
  unit: 'acquire and release',
  contenders: () => contended(workers),
}));
