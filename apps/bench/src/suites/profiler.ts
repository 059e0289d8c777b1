import { performance } from 'node:perf_hooks';
import { Profiler } from '@perf/profiler';
import type { Comparison, Contender } from '../comparison.ts';

const add = (a: number, b: number): number => a + b;
const addLater = (a: number, b: number): Promise<number> => Promise.resolve(a + b);

function calls(name: string, fn: (a: number, b: number) => number, ours = false): Contender {
  return {
    name,
    ours,
    run: (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum = fn(sum, i & 3);
      return sum;
    },
  };
}

function awaited(name: string, fn: (a: number, b: number) => Promise<number>, ours = false): Contender {
  return {
    name,
    ours,
    run: async (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum = await fn(sum, i & 3);
      return sum;
    },
  };
}

/** What measuring costs a function that does next to nothing. */
export const profiler: readonly Comparison[] = [
  {
    package: 'profiler',
    title: 'a call of a wrapped function',
    unit: 'call',
    contenders: () => [
      calls('@perf/profiler wrap', new Profiler().wrap(add), true),
      calls('@perf/profiler wrap, one call in 100 timed', new Profiler({ sampleRate: 0.01 }).wrap(add)),
      calls('node:perf_hooks timerify, nobody observing', performance.timerify(add)),
      calls('the function itself', add),
    ],
  },
  {
    package: 'profiler',
    title: 'an awaited call of a wrapped async function',
    unit: 'call',
    contenders: () => [
      awaited('@perf/profiler wrap', new Profiler().wrap(addLater), true),
      awaited('node:perf_hooks timerify, nobody observing', performance.timerify(addLater)),
      awaited('the function itself', addLater),
    ],
  },
];
