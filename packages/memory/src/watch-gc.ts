import { PerformanceObserver, type PerformanceEntry, constants } from 'node:perf_hooks';
import { type GcKind, gcKind } from './gc-kind.ts';

/** One garbage collection. */
export interface GcEvent {
  readonly kind: GcKind;
  /** How long it held JavaScript up, in milliseconds. */
  readonly duration: number;
  /** When it began, on the time line of `performance.now()`. */
  readonly startTime: number;
  /** Whether it was asked for by a call of `gc()`. */
  readonly forced: boolean;
}

/** A running watch of this thread's collections. */
export interface GcWatch {
  /** Stops; what happened since the event loop turned last is not delivered. Idempotent. */
  stop(): void;
}

/**
 * Calls `onGc` with every collection of this thread. Node.js hands them over when the event loop turns, all that happened since
 * the last turn at once: the times are right, the call is late. Does not keep the process alive.
 */
export function watchGc(onGc: (event: GcEvent) => void): GcWatch {
  let running = true;
  const deliver = (entries: readonly PerformanceEntry[]): void => {
    for (const entry of entries) if (running) onGc(toEvent(entry));
  };
  const observer = new PerformanceObserver((list) => deliver(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  return {
    stop: () => {
      running = false;
      observer.disconnect();
    },
  };
}

function toEvent(entry: PerformanceEntry): GcEvent {
  const { detail } = entry as PerformanceEntry & {
    readonly detail?: { readonly kind?: number; readonly flags?: number };
  };
  return {
    kind: gcKind(detail?.kind ?? -1),
    duration: entry.duration,
    startTime: entry.startTime,
    forced: ((detail?.flags ?? 0) & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0,
  };
}
