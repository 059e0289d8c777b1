import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type V8Gc = (options?: { readonly type: 'minor' }) => void;

/**
 * A function that makes a full, blocking garbage collection, with V8's own `gc`: from `--expose-gc`, or from a context made while that flag
 * was on for a moment. `undefined` where V8 does not give it out.
 */
export function findGc(): (() => void) | undefined {
  const gc = (globalThis.gc as V8Gc | undefined) ?? borrowGc();
  if (gc === undefined) return undefined;
  return () => {
    gc();
    // `external_memory` still counts the buffers that were just collected until the next collection, of whatever kind.
    gc({ type: 'minor' });
  };
}

function borrowGc(): V8Gc | undefined {
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('typeof gc === "function" ? gc : undefined') as V8Gc | undefined;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
