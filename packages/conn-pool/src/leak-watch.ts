import type { LeakReport } from './options.ts';
import { hush } from './promise-like.ts';

/** The stack of an acquire, as an error that is never thrown. */
export class AcquireTrace extends Error {
  override get name(): string {
    return 'AcquireTrace';
  }
}

/** The lines of the stack of `trace`, without the one that names the error. */
export function stackOf(trace: Error | undefined): string {
  return trace?.stack?.split('\n').slice(1).join('\n') ?? '';
}

/** Tells of a leak: `onLeak`, or a process warning. */
export function reportLeak(leak: LeakReport, onLeak: ((leak: LeakReport) => void) | undefined): void {
  if (onLeak === undefined) {
    process.emitWarning(
      `a connection of "${leak.pool}" was acquired ${Math.round(leak.heldFor)} ms ago and not released`,
      {
        type: 'ConnectionLeakWarning',
        code: 'PERF_CONN_POOL_LEAK',
        detail: leak.stack,
      },
    );
    return;
  }
  hush(() => onLeak(leak));
}
