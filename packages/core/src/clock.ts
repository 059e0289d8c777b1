/** A monotonic source of time. Only differences between two readings mean anything. */
export interface Clock {
  /** Milliseconds since an arbitrary origin, fractional, never going back. */
  now(): number;
}

/**
 * The process's monotonic clock.
 *
 * `performance` is looked up at each call, so that fake timers installed after this module was
 * loaded are seen.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
};
