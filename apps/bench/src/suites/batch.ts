import { Batcher, DataLoader } from '@perf/batch';
import TheirLoader from 'dataloader';
import type { Comparison, Contender } from '../comparison.ts';

const double = (keys: readonly number[]): Promise<number[]> => Promise.resolve(keys.map((key) => key * 2));
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** A fresh loader for each batch of 1,000, as each request of a service has its own. */
function loaders(keyOf: (i: number) => number): Contender[] {
  const run = async (load: () => (key: number) => Promise<number>, iterations: number): Promise<number> => {
    let sum = 0;
    for (let done = 0; done < iterations; done += 1_000) {
      const one = load();
      sum += total(await Promise.all(Array.from({ length: 1_000 }, (_, i) => one(keyOf(i)))));
    }
    return sum;
  };
  const ours = (): ((key: number) => Promise<number>) => {
    const loader = new DataLoader<number, number>(double);
    return (key) => loader.load(key);
  };
  const theirs = (): ((key: number) => Promise<number>) => {
    const loader = new TheirLoader<number, number>(double);
    return (key) => loader.load(key);
  };
  return [
    { name: '@perf/batch DataLoader', ours: true, run: (iterations) => run(ours, iterations) },
    { name: 'dataloader', run: (iterations) => run(theirs, iterations) },
  ];
}

type AnyLoader = Pick<TheirLoader<number, number>, 'load'>;

/** What a request that needs one value after the other does: each load is a batch, or a hit, of its own. */
async function oneByOne(loader: AnyLoader, iterations: number, keyOf: (i: number) => number): Promise<number> {
  let sum = 0;
  for (let i = 0; i < iterations; i++) sum += await loader.load(keyOf(i));
  return sum;
}

function missesOneByOne(): Contender[] {
  const run = (loader: AnyLoader) => (iterations: number) => oneByOne(loader, iterations, (i) => i);
  return [
    { name: '@perf/batch DataLoader', ours: true, run: run(new DataLoader(double, { cache: false })) },
    { name: 'dataloader', run: run(new TheirLoader(double, { cache: false })) },
  ];
}

function hitsOneByOne(): Contender[] {
  const contender = (name: string, loader: TheirLoader<number, number>, ours: boolean): Contender => {
    for (let key = 0; key < 100; key++) loader.prime(key, key * 2);
    return { name, ours, run: (iterations) => oneByOne(loader, iterations, (i) => i % 100) };
  };
  return [
    contender('@perf/batch DataLoader', new DataLoader(double), true),
    contender(
      "@perf/batch DataLoader, cacheHits: 'immediate'",
      new DataLoader(double, { cacheHits: 'immediate' }),
      false,
    ),
    contender('dataloader', new TheirLoader(double), false),
  ];
}

interface Operation {
  readonly kind: string;
  readonly key: number;
}

const KINDS = ['read', 'write', 'delete', 'create'];

/** No peer has ordering keys and groups; the loader without its cache is the nearest that also batches. */
function batchers(): Contender[] {
  const operations = (count: number): Operation[] =>
    Array.from({ length: count }, (_, i) => ({ kind: KINDS[i & 3] as string, key: i }));
  return [
    {
      name: '@perf/batch Batcher, four types, ordering keys, batches of 500',
      ours: true,
      run: async (iterations) => {
        const batcher = new Batcher<Operation, number>({
          execute: (ops) => ops.map(({ key }) => key * 2),
          maxSize: 500,
          groupBy: ({ kind }) => kind,
          orderingKey: ({ key }) => key,
        });
        return total(await Promise.all(operations(iterations).map((operation) => batcher.add(operation))));
      },
    },
    {
      name: 'dataloader without cache, batches of 500, neither types nor order',
      run: async (iterations) => {
        const loader = new TheirLoader<Operation, number>((ops) => Promise.resolve(ops.map(({ key }) => key * 2)), {
          maxBatchSize: 500,
          cache: false,
        });
        return total(await Promise.all(operations(iterations).map((operation) => loader.load(operation))));
      },
    },
  ];
}

export const batch: readonly Comparison[] = [
  {
    package: 'batch',
    title: 'DataLoader, 1,000 different keys',
    unit: 'load',
    iterations: 20_000,
    contenders: () => loaders((i) => i),
  },
  {
    package: 'batch',
    title: 'DataLoader, 99 % duplicates',
    unit: 'load',
    iterations: 20_000,
    contenders: () => loaders((i) => i % 10),
  },
  {
    package: 'batch',
    title: 'DataLoader, one load at a time, awaited',
    unit: 'load',
    iterations: 20_000,
    contenders: missesOneByOne,
  },
  {
    package: 'batch',
    title: 'DataLoader, warm hits, awaited',
    unit: 'load',
    iterations: 20_000,
    contenders: hitsOneByOne,
  },
  {
    package: 'batch',
    title: 'Batcher, 10,000 operations at once',
    unit: 'operation',
    iterations: 10_000,
    contenders: batchers,
  },
];
