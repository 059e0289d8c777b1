import type { LeakReport } from './options.ts';
import { hush } from './hush.ts';

/** Tells of a leak, or of its end: `onLeak`, or a process warning. */
export function reportLeak(leak: LeakReport, onLeak: ((leak: LeakReport) => void) | undefined): void {
  if (onLeak !== undefined) {
    hush(() => onLeak(leak));
    return;
  }
  const heldFor = `${Math.round(leak.heldFor)} ms`;
  const message = leak.returned
    ? `a connection of "${leak.pool}" that was reported as a leak was returned late, after ${heldFor}`
    : `a connection of "${leak.pool}" was acquired ${heldFor} ago and not released`;
  process.emitWarning(message, { type: 'ConnectionLeakWarning', code: 'PERF_CONN_POOL_LEAK', detail: leak.stack });
}
