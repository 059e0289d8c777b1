import { isPromiseLike } from '@perf/core';

/** Calls an observer: what it throws, or rejects with later, never hurts the pool. */
export function hush(observer: () => unknown): void {
  try {
    const answer = observer();
    if (isPromiseLike(answer)) answer.then(undefined, () => {});
  } catch {
    // Nobody asked it.
  }
}
