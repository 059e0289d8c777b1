import { findGc } from '../../src/force-gc.ts';

const gc = findGc();

/** Lets the macrotask end, so that nothing is held by the `WeakRef`s it touched, and makes a full collection. */
export async function collectGarbage(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  gc?.();
}

/** Turns the event loop until finalizers have run. */
export async function runFinalizers(done: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !done(); turn++) await new Promise((resolve) => setImmediate(resolve));
}
