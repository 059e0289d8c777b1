/** Whether `value` is to be awaited. Throws what a getter `then` throws. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}

/** Calls an observer: what it throws, or rejects with later, never hurts the pool. */
export function hush(observer: () => unknown): void {
  try {
    const answer = observer();
    if (isPromiseLike(answer)) answer.then(undefined, () => {});
  } catch {
    // Nobody asked it.
  }
}
