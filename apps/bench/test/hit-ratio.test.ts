import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { beladyHits } from '../src/hit-ratio/belady.ts';
import { ClimbingWTinyLfu } from '../src/hit-ratio/climbing-w-tiny-lfu.ts';
import { PEERS, hitRatio, ours, oursByWeight } from '../src/hit-ratio/contenders.ts';
import { CountMinSketch } from '../src/hit-ratio/count-min-sketch.ts';
import { generatedTraces } from '../src/hit-ratio/generated-traces.ts';
import { hitRatioTables, weightsOf } from '../src/hit-ratio/hit-ratio-tables.ts';
import { Lru } from '../src/hit-ratio/lru.ts';
import { S3Fifo } from '../src/hit-ratio/s3-fifo.ts';
import type { Simulator } from '../src/hit-ratio/simulator.ts';
import { readTrace, traceFiles } from '../src/hit-ratio/trace-files.ts';
import { type Trace, traceOf } from '../src/hit-ratio/trace.ts';
import { WTinyLfu } from '../src/hit-ratio/w-tiny-lfu.ts';
import { uniform } from '../src/random.ts';

/** Which of the keys hit, one after the other. */
function hits(policy: Simulator, keys: readonly number[]): string {
  return keys.map((key) => (policy.request(key) ? 'h' : '.')).join('');
}

function randomTrace(seed: number): Trace {
  const random = uniform(seed);
  return traceOf(
    'random',
    Array.from({ length: 60 }, () => Math.floor(random() ** 2 * 8)),
  );
}

describe('the simulated policies', () => {
  test('lru evicts what was used least recently', () => {
    expect(hits(new Lru(2, 4), [0, 1, 0, 2, 0, 1, 2])).toBe('..h.h..');
  });

  test('lru by weight makes as much room as is needed, and takes in nothing that is too heavy', () => {
    const weights = Uint32Array.of(1, 2, 3, 9);
    expect(hits(new Lru(3, 4, weights), [0, 1, 0, 1, 2, 0, 3, 0])).toBe('..hh...h');
  });

  test('s3-fifo sends what is used twice to the main queue, and what comes back from the ghosts', () => {
    // A small queue of one: 0 is used twice in it and stays; 1 goes, is remembered, and comes back to the main queue.
    expect(hits(new S3Fifo(3, 10), [0, 0, 0, 1, 2, 3, 0, 1, 1, 0])).toBe('.hh...h.hh');
  });

  test('s3-fifo and w-tiny-lfu keep what is popular through a scan', () => {
    const popular = Array.from({ length: 40 }, (_, index) => index % 4);
    const scan = Array.from({ length: 100 }, (_, index) => 10 + index);
    for (const policy of [new S3Fifo(10, 200), new WTinyLfu(10, 200)]) {
      hits(policy, popular);
      hits(policy, scan);
      expect(hits(policy, [0, 1, 2, 3])).toBe('hhhh');
    }
    const lru = new Lru(10, 200);
    hits(lru, [...popular, ...scan]);
    expect(hits(lru, [0, 1, 2, 3])).toBe('....');
  });

  test('w-tiny-lfu keeps its size while the window climbs', () => {
    const { requests, distinct } = traceOf(
      'mixed',
      Array.from({ length: 5_000 }, (_, at) => (at % 3 === 0 ? at : at % 40)),
    );
    const fixed = new WTinyLfu(20, distinct);
    const climbing = new ClimbingWTinyLfu(20, distinct);
    for (const key of requests) {
      fixed.request(key);
      climbing.request(key);
    }
    for (const limit of [1, 10, 19, 5, 1_000]) {
      fixed.resizeWindow(limit);
      expect(fixed.windowLimit).toBe(Math.min(19, limit));
    }
    // A key that is there hits and one that is not does not, so that asking for all of them counts what it held at first.
    const held = Array.from({ length: distinct }, (_, key) => key).filter((key) => climbing.request(key));
    expect(held.length).toBeLessThanOrEqual(20);
  });

  test('the sketch counts, and forgets by halves', () => {
    const sketch = new CountMinSketch(100);
    for (let use = 0; use < 20; use++) sketch.count(7);
    expect(sketch.frequency(7)).toBe(15);
    expect(sketch.frequency(8)).toBe(0);
    for (let use = 0; use < 1_000; use++) sketch.count(1_000 + use);
    expect(sketch.frequency(7)).toBeLessThan(9);
  });

  test('nobody hits more than the bound, which is the best of all ways to evict', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const trace = randomTrace(seed);
      for (const capacity of [1, 2, 4]) {
        const bound = beladyHits(trace, capacity);
        expect(bound).toBe(bestHits(trace, capacity));
        for (const { of } of PEERS) {
          const { requests } = hitRatio(trace, of(capacity, trace.distinct));
          expect((requests * trace.requests.length) / 100).toBeLessThanOrEqual(bound + 1e-9);
        }
        const { requests } = hitRatio(trace, ours(capacity));
        expect((requests * trace.requests.length) / 100).toBeLessThanOrEqual(bound + 1e-9);
      }
    }
  });
});

/** The most hits there can be, by trying every choice: a set of what is held, and the most hits that lead to it. */
function bestHits({ requests }: Trace, capacity: number): number {
  let states = new Map<number, number>([[0, 0]]);
  for (const key of requests) {
    const next = new Map<number, number>();
    const reach = (held: number, count: number): void => {
      next.set(held, Math.max(next.get(held) ?? 0, count));
    };
    for (const [held, count] of states) {
      const bit = 1 << key;
      if ((held & bit) !== 0) {
        reach(held, count + 1);
        continue;
      }
      reach(held, count);
      const keys = Array.from({ length: 8 }, (_, each) => 1 << each).filter((each) => (held & each) !== 0);
      if (keys.length < capacity) reach(held | bit, count);
      for (const each of keys) reach((held & ~each) | bit, count);
    }
    states = next;
  }
  return Math.max(...states.values());
}

describe('the generated traces', () => {
  test('are the same for the same seed, and others for another', () => {
    const [first, again, other] = [1, 1, 2].map((seed) => generatedTraces({ requests: 2_000, seed }));
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    for (const { requests, distinct } of first ?? []) {
      expect(requests).toHaveLength(2_000);
      expect(Math.max(...requests)).toBe(distinct - 1);
    }
  });

  test('are hard for the policies they are meant to be hard for', () => {
    const traces = new Map(generatedTraces({ requests: 40_000 }).map((trace) => [trace.name, trace]));
    const ratio = (name: string, of: (capacity: number, distinct: number) => Simulator): number => {
      const trace = traces.get(name) as Trace;
      return hitRatio(trace, of(1_000, trace.distinct)).requests;
    };
    expect(ratio('long-loop', (...args) => new Lru(...args))).toBe(0);
    expect(ratio('one-distance', (...args) => new WTinyLfu(...args))).toBeLessThan(10);
    expect(ratio('one-distance', (...args) => new Lru(...args))).toBeGreaterThan(40);
    expect(ratio('scans', (...args) => new S3Fifo(...args))).toBeGreaterThan(
      ratio('scans', (...args) => new Lru(...args)),
    );
  });
});

describe('trace files', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'traces-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test('are read in each format, compressed or not', () => {
    const keys = Buffer.alloc(12);
    for (const [index, key] of [7, 9, 7].entries()) keys.writeUInt32BE(key, 4 * index);
    const long = Buffer.alloc(24);
    for (const [index, key] of [2n ** 63n, 5n, 2n ** 63n].entries()) long.writeBigUInt64BE(key, 8 * index);
    writeFileSync(join(folder, 'a.int32be'), keys);
    writeFileSync(join(folder, 'b.int64be.gz'), gzipSync(long));
    writeFileSync(join(folder, 'c.txt.gz'), gzipSync('12\n*\n13\n12\n'));
    writeFileSync(join(folder, 'd.arc.zst'), zstdCompressSync(Buffer.from('100 2 0 1\n100 1 0 2\n')));
    writeFileSync(join(folder, 'README.md'), 'not a trace');
    expect(traceFiles(folder)).toEqual(['a.int32be', 'b.int64be.gz', 'c.txt.gz', 'd.arc.zst']);
    for (const file of traceFiles(folder)) {
      expect(readTrace(folder, file)).toEqual({
        name: file[0],
        requests: Uint32Array.of(0, 1, 0),
        distinct: 2,
      });
    }
  });
});

describe('the tables', () => {
  test('show every trace, the mean, other sizes and weights', () => {
    const traces = [randomTrace(1), traceOf('other', [1, 2, 1, 2, 3, 1])];
    const tables = hitRatioTables(traces);
    expect(tables.match(/^\| random \|/gm)).toHaveLength(2);
    expect(tables).toMatch(/^\| mean \|/m);
    expect(tables).toContain('6 cases more');
    expect(tables).not.toContain('NaN');
  });

  test('weights depend on the key alone, and a cache limited by them holds no more', () => {
    expect(weightsOf(100)).toEqual(weightsOf(200).subarray(0, 100));
    expect(new Set(weightsOf(1_000)).size).toBe(9);
    const trace = randomTrace(3);
    const weights = weightsOf(trace.distinct);
    const { requests, weight } = hitRatio(trace, oursByWeight(10 ** 6, weights), weights);
    expect(requests).toBeCloseTo((100 * (60 - trace.distinct)) / 60);
    expect(weight).toBeGreaterThan(0);
  });
});
