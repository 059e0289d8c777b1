import type { ReadFile } from '@perf/core';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { isMainThread, resourceLimits } from 'node:worker_threads';
import { type LimitedGroup, findLimitedGroup, workingSet } from './cgroup.ts';
import type { MemoryReading, MemorySource } from './memory-reading.ts';
import { oldSpaceLimit, readV8Flags } from './v8-flags.ts';
import { type GcWatch, watchGc } from './watch-gc.ts';

/** Limits change while a process runs, but seldom, and finding them takes a dozen small reads. */
const LIMIT_LIFETIME = 60_000;

/** What a {@link MemoryReader} asks of the system; each part can be replaced. */
export interface MemorySystem {
  readonly readFile?: ReadFile | undefined;
  /** @default process.constrainedMemory */
  readonly constrainedMemory?: (() => number | undefined) | undefined;
  /** Physical memory in bytes: a higher "limit" is none. @default os.totalmem */
  readonly totalMemory?: (() => number) | undefined;
}

/** The tightest limit on the process from outside of V8. */
export interface ContainerLimit {
  /** Bytes. */
  readonly limit: number;
  /** The control group it is set on; `undefined` when only the operating system's answer is known. */
  readonly group?: LimitedGroup;
}

/**
 * Reads this thread's heap and this process's container: a few counters, and two small files where there is a container limit.
 * Between `start()` and `stop()` it also follows what each major collection leaves alive.
 */
export class MemoryReader implements MemorySource {
  readonly #system: MemorySystem;
  readonly #heapLimit: number;
  #container: ContainerLimit | undefined;
  #containerReadAt: number | undefined;
  #watch: GcWatch | undefined;
  #live: number | undefined;

  constructor(system: MemorySystem = {}) {
    this.#system = system;
    this.#heapLimit = threadHeapLimit();
  }

  /** @param now monotonic, in milliseconds */
  read(now: number): MemoryReading {
    const heap = getHeapStatistics();
    const rss = process.memoryUsage.rss();
    return {
      heapUsed: oldGenerationUsed(),
      heapLimit: this.#heapLimit,
      heapTotal: heap.total_heap_size,
      external: heap.external_memory,
      rss,
      heapLive: this.#live,
      ...this.#readContainer(now, rss),
    };
  }

  start(): void {
    // Read when the event loop turns, so never less than what was alive: allocations since are in it.
    this.#watch ??= watchGc(({ kind }) => {
      if (kind === 'major') this.#live = oldGenerationUsed();
    });
  }

  stop(): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#live = undefined;
  }

  #readContainer(now: number, rss: number): Pick<MemoryReading, 'containerLimit' | 'containerUsed'> {
    if (this.#containerReadAt === undefined || now - this.#containerReadAt >= LIMIT_LIFETIME) {
      this.#container = findContainerLimit(this.#system);
      this.#containerReadAt = now;
    }
    const container = this.#container;
    if (container === undefined) return {};
    const { limit, group } = container;
    const readFile = this.#system.readFile ?? readText;
    return { containerLimit: limit, containerUsed: (group && workingSet(readFile, group)) ?? rss };
  }
}

/** What is in use in the old generation of this thread's heap, in bytes. */
export function oldGenerationUsed(): number {
  let used = 0;
  for (const space of getHeapSpaceStatistics()) {
    if (space.space_name !== 'new_space' && space.space_name !== 'new_large_object_space')
      used += space.space_used_size;
  }
  return used;
}

/** What the old generation of this thread's heap may grow to, in bytes. */
export function threadHeapLimit(): number {
  const flags = isMainThread
    ? readV8Flags(process.execArgv, process.env['NODE_OPTIONS'])
    : readV8Flags([`--max-old-space-size=${resourceLimits.maxOldGenerationSizeMb}`], undefined);
  return oldSpaceLimit(getHeapStatistics().heap_size_limit, flags);
}

/**
 * The smallest valid limit from outside: of the control groups, or what the operating system says of the process. No limit is said in many ways
 * (0, `undefined`, 2^63, 2^64, more than there is memory); each of them is `undefined` here.
 */
export function findContainerLimit(system: MemorySystem): ContainerLimit | undefined {
  const total = (system.totalMemory ?? totalmem)();
  const group = findLimitedGroup(system.readFile ?? readText);
  const constrained = (system.constrainedMemory ?? (() => process.constrainedMemory()))();
  const byGroup = group !== undefined && group.limit <= total ? { limit: group.limit, group } : undefined;
  if (constrained === undefined || !(constrained > 0 && constrained <= total)) return byGroup;
  return byGroup !== undefined && byGroup.limit <= constrained ? byGroup : { limit: constrained };
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
