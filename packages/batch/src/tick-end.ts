const resolved = /* @__PURE__ */ Promise.resolve();

/**
 * Calls `fn` after the running code and every promise job it leads to, before timers and I/O.
 *
 * A promise job whose only purpose is to queue a `process.nextTick`: Node drains all promise jobs before it comes back to the
 * tick queue. The idea is DataLoader's (`enqueuePostPromiseJob`, by Lee Byron).
 */
export function atTickEnd(fn: () => void): void {
  void resolved.then(() => process.nextTick(fn));
}
