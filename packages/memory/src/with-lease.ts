import { isPromiseLike } from '@perf/core';

/**
 * Runs `work` and then `end`: once it has returned or thrown, or its promise has settled. Returns what `work` returns; a promise for it where
 * that is a thenable. What `end` throws counts only where `work` succeeded.
 */
export function withLease<R>(work: () => R, end: (failed: boolean) => void): R {
  let result: R;
  try {
    result = work();
  } catch (error) {
    end(true);
    throw error;
  }
  if (!isPromiseLike(result)) {
    end(false);
    return result;
  }
  return Promise.resolve(result).then(
    (value) => {
      end(false);
      return value;
    },
    (error: unknown) => {
      end(true);
      throw error;
    },
  ) as R;
}
