import { deserialize, serialize } from 'node:v8';
import type { MessagePort, Transferable } from 'node:worker_threads';
import { type CanCross, encodeThrown } from './encode-thrown.ts';
import type { Failure, Reply } from './frame.ts';

/** Whether a value can be posted to another thread. */
export function canClone(value: unknown): boolean {
  return succeeds(value, () => structuredClone(value));
}

/** Whether a value can be sent to another process. */
export function canSerialize(value: unknown): boolean {
  return succeeds(value, () => deserialize(serialize(value)));
}

/** Posts a reply to the pool's thread. Results that cannot be cloned are answered with an error; the others still arrive. */
export function postReply(port: MessagePort, reply: Reply, transferList: readonly Transferable[]): void {
  try {
    port.postMessage(reply, transferList);
  } catch (error) {
    port.postMessage(withoutUncloneable(reply, error, canClone));
  }
}

/** Like {@link postReply}, as bytes for another process. */
export function serializeReply(reply: Reply): Uint8Array {
  try {
    return serialize(reply);
  } catch (error) {
    return serialize(withoutUncloneable(reply, error, canSerialize));
  }
}

function withoutUncloneable(reply: Reply, error: unknown, canCross: CanCross): Reply {
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

function succeeds(value: unknown, attempt: () => unknown): boolean {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol'))
    return true;
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
