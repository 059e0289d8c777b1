import type { CpuProfile, CpuProfileNode } from '../src/index.ts';

/** A call hierarchy: each function with its own time in milliseconds, and what it calls. */
export interface Stack {
  readonly name: string;
  readonly url?: string;
  readonly line?: number;
  readonly self?: number;
  readonly calls?: readonly Stack[];
}

/** A profile in which every function has the time it is given; ids are neither ordered nor begin at 1. */
export function profileOf(...stacks: readonly Stack[]): CpuProfile {
  const nodes: CpuProfileNode[] = [];
  const samples: number[] = [];
  const timeDeltas: number[] = [];
  let id = 1000;
  // V8's own start: what comes before the first sample is nobody's time.
  let delta = 7_000;
  const add = ({ name, url = 'file:///app/main.js', line = 0, self = 0, calls = [] }: Stack): number => {
    const own = id--;
    if (self > 0) {
      samples.push(own);
      timeDeltas.push(delta);
      delta = self * 1000;
    }
    const children = calls.map(add);
    const special = name.startsWith('(');
    const callFrame = {
      functionName: name,
      scriptId: special ? '0' : '7',
      url: special ? '' : url,
      lineNumber: special ? -1 : line,
      columnNumber: special ? -1 : 0,
    };
    nodes.push({ id: own, callFrame, hitCount: self > 0 ? 1 : 0, children });
    return own;
  };
  add({ name: '(root)', calls: stacks });
  const startTime = 1_000_000;
  const endTime = timeDeltas.reduce((sum, each) => sum + each, startTime) + delta;
  return { nodes, samples, timeDeltas, startTime, endTime };
}
