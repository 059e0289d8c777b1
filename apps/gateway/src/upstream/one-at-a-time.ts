import { delay } from '@perf/core';

/** Milliseconds in which what asks for a run is taken together. */
const PAUSE = 250;

/**
 * A function that asks for `run`: runs never overlap, and however often one is asked for before it starts, it is one.
 * What `run` rejects with is dropped; the next one to ask tries again.
 */
export function oneAtATime(run: () => Promise<void>): () => void {
  let asked = false;
  let running = false;
  const loop = async (): Promise<void> => {
    running = true;
    while (asked) {
      await delay(PAUSE, { unref: true });
      asked = false;
      await run().catch(() => {});
    }
    running = false;
  };
  return () => {
    asked = true;
    if (!running) void loop();
  };
}
