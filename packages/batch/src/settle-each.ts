/** Adds each, and resolves with their outcomes in that order. Throws what iterating `ops` throws. */
export function settleEach<Op, R>(ops: Iterable<Op>, add: (op: Op) => Promise<R>): Promise<PromiseSettledResult<R>[]> {
  const results: Promise<R>[] = [];
  try {
    for (const op of ops) results.push(add(op));
  } catch (error) {
    // Those already added go on; their results are nobody's.
    void Promise.allSettled(results);
    throw error;
  }
  return Promise.allSettled(results);
}
