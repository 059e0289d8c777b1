export { Histogram, type HistogramJSON } from '@perf/core';
export { type BatchSummary } from './compare/batch-means.ts';
export {
  type CompareOptions,
  type Comparison,
  type FunctionComparison,
  type Verdict,
  compare,
  compareReports,
} from './compare/compare.ts';
export { type CallEdge, type FunctionMatch, callees, callers } from './cpu/call-edges.ts';
export type { CallFrame, CpuProfile, CpuProfileNode } from './cpu/cpu-profile.ts';
export { parseCpuProfile } from './cpu/parse-cpu-profile.ts';
export type { FunctionCategory, ProfiledFunction } from './cpu/profiled-function.ts';
export { saveCpuProfile, toCpuProfile } from './cpu/save-cpu-profile.ts';
export { type CpuProfileOptions, type CpuRecording, startCpuProfile } from './cpu/start-cpu-profile.ts';
export { toPprof } from './cpu/to-pprof.ts';
export { type FunctionTime, type TopSort, topFunctions } from './cpu/top-functions.ts';
export { CpuProfileUnavailableError, InvalidProfileError } from './errors.ts';
export {
  type EventLoopDelay,
  EventLoopMonitor,
  type EventLoopMonitorOptions,
  type EventLoopStats,
} from './event-loop-monitor.ts';
export { renderDiff } from './flame/render-diff.ts';
export { type FlameGraphOptions, renderFlameGraph } from './flame/render-flame-graph.ts';
export type { FunctionReport } from './function-report.ts';
export type { ProfileDecorator } from './profile-decorator.ts';
export { Profiler, type WrapOptions } from './profiler.ts';
export type { ProfilerOptions } from './profiler-options.ts';
export type { ReportSort, ReportTextOptions } from './report-text.ts';
export type { Span } from './span.ts';
export type { Callable } from './wrap-function.ts';
