import { constants } from 'node:perf_hooks';

/** A kind of garbage collection, as OpenTelemetry names it (`v8js.gc.type`); `unknown` is one that this version has no name for. */
export type GcKind = 'major' | 'minor' | 'incremental' | 'weakcb' | 'unknown';

/** All kinds. */
export const GC_KINDS: readonly GcKind[] = ['major', 'minor', 'incremental', 'weakcb', 'unknown'];

/** The young generation's mark-sweep, which `@types/node` does not list. */
const MINOR_MARK_SWEEP = 2;

/** The name of V8's numeric kind, as in `PerformanceEntry.detail.kind`. */
export function gcKind(kind: number): GcKind {
  switch (kind) {
    case constants.NODE_PERFORMANCE_GC_MAJOR:
      return 'major';
    case constants.NODE_PERFORMANCE_GC_MINOR:
    case MINOR_MARK_SWEEP:
      return 'minor';
    case constants.NODE_PERFORMANCE_GC_INCREMENTAL:
      return 'incremental';
    case constants.NODE_PERFORMANCE_GC_WEAKCB:
      return 'weakcb';
    default:
      return 'unknown';
  }
}
