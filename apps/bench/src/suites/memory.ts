import { BufferPool, ObjectPool } from '@perf/memory';
import type { Comparison, Contender } from '../comparison.ts';

interface Report {
  readonly bytes: Uint8Array;
}

const KILOBYTES = 16;
const make = (): Report => ({ bytes: new Uint8Array(KILOBYTES * 1024) });

function reports(name: string, use: (i: number) => number, ours = false): Contender {
  return {
    name,
    ours,
    run: (iterations) => {
      let sum = 0;
      for (let i = 0; i < iterations; i++) sum += use(i);
      return sum;
    },
  };
}

/** Writes one byte and reads it: the pools' own cost, not that of filling. */
function touch(bytes: Uint8Array, i: number): number {
  bytes[0] = i & 0x7f;
  return bytes[0];
}

function objects(): Contender[] {
  const pool = new ObjectPool(make, { maxSize: 16 });
  const stack: Report[] = [];
  return [
    reports('@perf/memory ObjectPool', (i) => pool.use(({ bytes }) => touch(bytes, i)), true),
    reports('an array used as a stack, nothing checked', (i) => {
      const report = stack.pop() ?? make();
      const byte = touch(report.bytes, i);
      stack.push(report);
      return byte;
    }),
    reports('a new object each time', (i) => touch(make().bytes, i)),
  ];
}

function buffers(): Contender[] {
  const pool = new BufferPool();
  const clean = new BufferPool({ zero: 'never' });
  const size = KILOBYTES * 1024;
  return [
    reports('@perf/memory BufferPool, nothing cleared', (i) => clean.use(size, (bytes) => touch(bytes, i)), true),
    reports('@perf/memory BufferPool, cleared on release', (i) => pool.use(size, (bytes) => touch(bytes, i))),
    reports('Buffer.allocUnsafeSlow', (i) => touch(Buffer.allocUnsafeSlow(size), i)),
    reports('Buffer.alloc', (i) => touch(Buffer.alloc(size), i)),
  ];
}

export const memory: readonly Comparison[] = [
  { package: 'memory', title: `objects of ${KILOBYTES} kB, used and given back`, unit: 'use', contenders: objects },
  { package: 'memory', title: `buffers of ${KILOBYTES} kB, used and given back`, unit: 'use', contenders: buffers },
];
