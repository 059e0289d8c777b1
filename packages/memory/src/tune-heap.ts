import { checkBoolean, checkCount, checkOptions, checkPositiveInteger, type ReadFile } from '@perf/core';
import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { planHeap } from './heap-plan.ts';
import { findContainerLimit } from './memory-reader.ts';
import { type V8MemoryFlags, readV8Flags } from './v8-flags.ts';

/** Options of {@link tuneHeap}. */
export interface TuneHeapOptions {
  /** Bytes the process may use in all, from 64 MiB; `'auto'`: the container's limit, or the machine's memory. @default 'auto' */
  readonly memory?: 'auto' | number | undefined;
  /** Bytes of it for buffers, native code and worker threads. @default a tenth */
  readonly offHeap?: number | undefined;
  /** Whether to set what takes effect in a running process; little does. @default false */
  readonly apply?: boolean | undefined;
  /** Reads control-group files, for another root than `/`. @default fs.readFileSync, `undefined` for what is not there */
  readonly readFile?: ReadFile | undefined;
}

/** Heap sizes for a container, why, and how to get them; see {@link tuneHeap}. */
export interface HeapTuning {
  /** MiB for the old generation. */
  readonly maxOldSpace: number;
  /** MiB for each of the three semi-spaces of the young generation. */
  readonly maxSemiSpace: number;
  /** For `NODE_OPTIONS`, or the command line. */
  readonly nodeOptions: string;
  /** For `new Worker(file, { resourceLimits })`, when one worker is to do all the work. */
  readonly resourceLimits: { readonly maxOldGenerationSizeMb: number; readonly maxYoungGenerationSizeMb: number };
  /** What this process was started with, and what V8 makes of it. */
  readonly current: V8MemoryFlags & { readonly heapSizeLimit: number };
  /** Whether this process was started with these sizes already. */
  readonly inEffect: boolean;
  /** V8 flags that were set in this process. */
  readonly applied: readonly string[];
  /** Each choice, explained; for a log. */
  readonly reasons: readonly string[];
}

const MIB = 2 ** 20;
/** The one memory flag V8 reads whenever it grows the young generation, instead of once at the start. */
const GROWTH_FLAG = '--semi-space-growth-factor=4';

/**
 * Computes heap sizes for a container of a given size, and explains them.
 *
 * V8 takes its sizes at the start: setting them later has no effect, and no error tells so. So this returns the `NODE_OPTIONS` to start with.
 * With `apply`, the young generation is let grow to its size faster, which is all that works, and safely, in a running process.
 *
 * @throws TypeError | RangeError when an option is unfit
 */
export function tuneHeap(options: TuneHeapOptions = {}): HeapTuning {
  checkOptions('tuneHeap', options, ['memory', 'offHeap', 'apply', 'readFile']);
  const { memory = 'auto', apply = false } = options;
  checkBoolean('apply', apply);
  const available = memory === 'auto' ? findMemory(options.readFile) : givenMemory(memory);
  const { offHeap = Math.floor(available.bytes / 10) } = options;
  checkCount('offHeap', offHeap);
  if (offHeap >= available.bytes) {
    throw new RangeError(`\`offHeap\` must be less than the memory (${available.bytes}), got ${offHeap}`);
  }
  const plan = planHeap({ memory: Math.floor(available.bytes / MIB), offHeap: Math.ceil(offHeap / MIB) });
  const { maxOldSpace, maxSemiSpace } = plan;
  const flags = readV8Flags(process.execArgv, process.env['NODE_OPTIONS']);
  if (apply) setFlagsFromString(GROWTH_FLAG);
  return {
    maxOldSpace,
    maxSemiSpace,
    nodeOptions: `--max-old-space-size=${maxOldSpace} --max-semi-space-size=${maxSemiSpace}`,
    resourceLimits: { maxOldGenerationSizeMb: maxOldSpace, maxYoungGenerationSizeMb: 3 * maxSemiSpace },
    current: { ...flags, heapSizeLimit: getHeapStatistics().heap_size_limit },
    inEffect: flags.maxOldSpace === maxOldSpace && flags.maxSemiSpace === maxSemiSpace,
    applied: apply ? [GROWTH_FLAG] : [],
    reasons: [available.reason, ...plan.reasons],
  };
}

interface Available {
  readonly bytes: number;
  readonly reason: string;
}

function givenMemory(memory: number): Available {
  checkPositiveInteger('memory', memory);
  if (memory < 64 * MIB) throw new RangeError(`\`memory\` must be at least 64 MiB (${64 * MIB}), got ${memory}`);
  return { bytes: memory, reason: 'the memory is as given' };
}

function findMemory(readFile: ReadFile | undefined): Available {
  const container = findContainerLimit({ readFile });
  if (container === undefined) {
    return {
      bytes: totalmem(),
      reason: "no container limit found: the memory is the machine's, which others may use too",
    };
  }
  const where = container.group === undefined ? 'the operating system' : container.group.folder;
  return { bytes: Math.max(container.limit, 64 * MIB), reason: `the memory is the limit set by ${where}` };
}
