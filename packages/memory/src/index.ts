export { BufferPool, type BufferPoolStats } from './buffer-pool.ts';
export type { BufferPoolOptions } from './buffer-pool-options.ts';
export {
  type CaptureSnapshotOptions,
  type SnapshotCapture,
  type SnapshotRefusal,
  captureSnapshotNearLimit,
} from './capture-snapshot.ts';
export type { ReadFile } from '@perf/core';
export type { OnCallbackError } from './error-reporter.ts';
export {
  DoubleReleaseError,
  FactoryError,
  ForeignReleaseError,
  NameTakenError,
  ReliefReentryError,
  UnknownPoolError,
} from './errors.ts';
export type { GcKind } from './gc-kind.ts';
export { LeakDetector, type LeakDetectorOptions, type LeakDetectorStats, type LeakReport } from './leak-detector.ts';
export type { LeakFindings, LeakVerdict } from './leak-verdict.ts';
export { type AddRelieverOptions, MemoryManager, type MemoryManagerStats } from './memory-manager.ts';
export type { MemoryManagerOptions, RelieveOptions } from './memory-manager-options.ts';
export { MemoryMonitor, type MemoryMonitorStats, type OnPressureOptions } from './memory-monitor.ts';
export type { MemoryMonitorOptions, PressureThresholds } from './memory-monitor-options.ts';
export type { MemoryReading, MemorySource } from './memory-reading.ts';
export type { MemorySample } from './memory-sample.ts';
export { ObjectPool, type ObjectPoolStats } from './object-pool.ts';
export type { ObjectPoolOptions } from './object-pool-options.ts';
export { type GcKindStats, type GcObserver, type GcStats, type ObserveGcOptions, observeGc } from './observe-gc.ts';
export type { Pressure } from './pressure.ts';
export type { PressureEvent, PressureHandler } from './pressure-handlers.ts';
export type { PressureLevel } from './pressure-level.ts';
export type { MemoryUse, ReliefGc, ReliefLevel, ReliefReport, ReliefStep, Reliever } from './relief.ts';
export { type HeapTuning, type TuneHeapOptions, tuneHeap } from './tune-heap.ts';
export type { V8MemoryFlags } from './v8-flags.ts';
export type { GcEvent } from './watch-gc.ts';
export { WeakValueMap, type WeakValueMapStats } from './weak-value-map.ts';
