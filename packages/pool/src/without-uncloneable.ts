import { type CanCross, encodeThrown } from './encode-thrown.ts';
import type { Failure, Reply } from './frame.ts';

/** The reply with an error for each result that cannot be cloned; the others still arrive. `error` says why it could not be sent as it is. */
export function withoutUncloneable(reply: Reply, error: unknown, canCross: CanCross): Reply {
  const failures: Failure[] = [...(reply.failures ?? [])];
  const thrown = encodeThrown(error, canCross);
  const results = reply.results.map((value, index) => {
    if (canCross(value)) return value;
    failures.push({ index, what: 'result', thrown });
    return undefined;
  });
  // Each result can cross alone: then it was the list of what to move that was wrong, and nobody can say whose.
  if (failures.length === 0) return { results: [], failures: [{ index: 0, what: 'result', thrown }], elapsed: 0 };
  return { results, failures, elapsed: reply.elapsed };
}
