import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { checkFunction, checkOneOf, checkOptions, checkPositiveInteger, type ReadFile } from '@perf/core';
import { cgroupCpuLimit } from './cgroup-cpu-limit.ts';

/** What the work waits for: the processor, disks and databases, or other services. */
export type WorkKind = 'cpu' | 'io' | 'async';

/** Where {@link recommendedConcurrency} looks: for tests, and for machines that know better. */
export interface Machine {
  /** Cores the process may run on. @default `os.availableParallelism()` */
  readonly cores?: number;
  /** Reads files below `/proc` and `/sys`. @default from the file system */
  readonly readFile?: ReadFile;
}

const PER_CORE: Readonly<Record<WorkKind, number>> = { cpu: 1, io: 3, async: 20 };

/**
 * How much to do at once, as a start: once per core for computing, three times for disks and databases, twenty times for calls to other services.
 *
 * Cores are those the process may really use: the lesser of its CPU affinity and the CPU quota of its control groups (version 1 and 2, with all parents),
 * rounded down and at least one. Reads a few small files, some 0.1 ms.
 *
 * @throws RangeError, TypeError for an unknown kind or a bad option
 */
export function recommendedConcurrency(kind: WorkKind, machine: Machine = {}): number {
  checkOneOf('kind', kind, ['cpu', 'io', 'async']);
  checkOptions('recommendedConcurrency', machine, ['cores', 'readFile']);
  const { cores = availableParallelism(), readFile = readIfThere } = machine;
  checkPositiveInteger('cores', cores);
  checkFunction('readFile', readFile);
  return Math.max(1, Math.floor(Math.min(cores, cgroupCpuLimit(readFile)))) * PER_CORE[kind];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
