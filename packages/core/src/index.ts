export { AbortGroups } from './abort-groups.ts';
export { abortable } from './abortable.ts';
export { activeSpan, activeSpanContext } from './active-span.ts';
export { type CgroupFolder, type ReadFile, cgroupFolders } from './cgroup-folders.ts';
export {
  checkBoolean,
  checkClock,
  checkCount,
  checkDuration,
  checkFunction,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  checkSignal,
} from './check.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Closeable } from './closeable.ts';
export { type DeadlineOptions, deadline } from './deadline.ts';
export { type DelayOptions, delay } from './delay.ts';
export {
  ClosedError,
  PerfError,
  QueueFullError,
  type QueueFullFacts,
  TimeoutError,
  type TimeoutFacts,
  isPerfError,
} from './errors.ts';
export { Histogram, type HistogramJSON } from './histogram.ts';
export { LazyCounter, LazyHistogram, LazyMeter } from './lazy-meter.ts';
export { LazyTracer } from './lazy-tracer.ts';
export type { Observe, ObservedInstrument } from './observation.ts';
export { isPromiseLike } from './promise-like.ts';
export type { StatsSource } from './stats-source.ts';
export { MAX_TIMER_DELAY, type Timer, startTimer } from './timer.ts';
