import { deserialize, serialize } from 'node:v8';

/** Whether a value can be posted to another thread. */
export function canClone(value: unknown): boolean {
  return succeeds(value, () => structuredClone(value));
}

/** Whether a value can be sent to another process. */
export function canSerialize(value: unknown): boolean {
  return succeeds(value, () => deserialize(serialize(value)));
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
