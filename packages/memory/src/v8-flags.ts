/** The memory flags a process was started with; sizes in MiB as they were given. */
export interface V8MemoryFlags {
  readonly maxOldSpace?: number;
  readonly maxSemiSpace?: number;
}

/**
 * Reads V8's memory flags from command-line arguments and `NODE_OPTIONS`; arguments win, and of each the last one.
 * V8 takes `_` for `-`, and a value after `=` or as the next argument.
 */
export function readV8Flags(execArgv: readonly string[], nodeOptions: string | undefined): V8MemoryFlags {
  const words = [...(nodeOptions ?? '').split(/\s+/), ...execArgv].flatMap((word) => word.split('='));
  const last = (name: string): number | undefined => {
    const at = words.findLastIndex((word) => word.replaceAll('_', '-') === name);
    const value = at < 0 ? NaN : Number(words[at + 1]);
    return value > 0 ? value : undefined;
  };
  const maxOldSpace = last('--max-old-space-size');
  const maxSemiSpace = last('--max-semi-space-size');
  return {
    ...(maxOldSpace !== undefined && { maxOldSpace }),
    ...(maxSemiSpace !== undefined && { maxSemiSpace }),
  };
}

const MIB = 2 ** 20;

/**
 * The bytes the old generation may grow to: what an "out of memory" is measured against.
 *
 * `heap_size_limit` is that plus three semi-spaces for the young generation, which matters in small heaps: with
 * `--max-old-space-size=50` and the 64 MiB semi-spaces of Node.js 24 it reads 242 MiB, and the process ends at a fifth of it.
 *
 * @param heapSizeLimit `v8.getHeapStatistics().heap_size_limit`
 */
export function oldSpaceLimit(heapSizeLimit: number, { maxOldSpace, maxSemiSpace }: V8MemoryFlags): number {
  if (maxOldSpace !== undefined) return Math.min(heapSizeLimit, maxOldSpace * MIB);
  if (maxSemiSpace === undefined) return heapSizeLimit;
  const limit = heapSizeLimit - 3 * maxSemiSpace * MIB;
  return limit > 0 ? limit : heapSizeLimit;
}
