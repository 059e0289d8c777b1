/** What a heap is planned for; all in MiB. */
export interface HeapPlanInput {
  /** Memory the process may use in all. */
  readonly memory: number;
  /** Of that, for buffers, native code and worker threads. */
  readonly offHeap: number;
}

/** Sizes for V8, in MiB, and why. */
export interface HeapPlan {
  readonly maxOldSpace: number;
  readonly maxSemiSpace: number;
  readonly reasons: readonly string[];
}

/** Code, stacks and the rest of a Node.js process that has loaded nothing yet: 45 to 50 MB resident, of which 5 heap. */
const RUNTIME = 48;
/** Fragmentation, and what the kernel counts besides. */
const MARGIN = 0.05;
const YOUNG_SHARE = 0.06;
/** Below 8 MiB many more objects live long enough to be promoted; above 16 to 32 little is won. */
const SEMI_SPACE = { min: 2, max: 32 } as const;
const LEAST_OLD_SPACE = 16;

/**
 * Sizes the heap so that V8 runs out before the container does: an error with a stack, instead of a kill.
 * The young generation is three semi-spaces, on top of the old one.
 */
export function planHeap({ memory, offHeap }: HeapPlanInput): HeapPlan {
  const semi = clamp(powerOfTwoBelow((memory * YOUNG_SHARE) / 3), SEMI_SPACE);
  const margin = Math.ceil(memory * MARGIN);
  const left = memory - RUNTIME - margin - offHeap - 3 * semi;
  const old = Math.max(LEAST_OLD_SPACE, left);
  const reasons = [
    `${memory} MiB in all, less ${RUNTIME} for Node.js itself, ${margin} as a margin, ${offHeap} for what is off the heap, and 3 x ${semi} for the young generation, leaves ${left} MiB for the old one`,
    `a semi-space of ${semi} MiB: the power of two that keeps the young generation within ${YOUNG_SHARE * 100} % of the memory, from ${SEMI_SPACE.min} to ${SEMI_SPACE.max}`,
  ];
  if (left < LEAST_OLD_SPACE) {
    reasons.push(
      `that is not enough: ${LEAST_OLD_SPACE} MiB is the least that makes sense, and the container may be killed`,
    );
  }
  return { maxOldSpace: old, maxSemiSpace: semi, reasons };
}

function powerOfTwoBelow(value: number): number {
  return 2 ** Math.floor(Math.log2(value));
}

function clamp(value: number, { min, max }: { readonly min: number; readonly max: number }): number {
  return Math.min(max, Math.max(min, value));
}
