/** A function as V8 names it. Lines and columns count from 0, and are -1 where there are none. */
export interface CallFrame {
  readonly functionName: string;
  readonly scriptId: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** One node of the call tree. */
export interface CpuProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly hitCount?: number;
  /** Ids of the nodes this one called. */
  readonly children?: readonly number[];
}

/**
 * A sampled CPU profile in the format of Chrome DevTools (`.cpuprofile`; `Profiler.Profile` of its protocol). Its times, unlike all others in
 * this package, are in microseconds.
 */
export interface CpuProfile {
  readonly nodes: readonly CpuProfileNode[];
  readonly startTime: number;
  readonly endTime: number;
  /** The id of the node that was running at each sample. */
  readonly samples: readonly number[];
  /** Time from one sample to the next; the first counts from `startTime`. */
  readonly timeDeltas: readonly number[];
}
