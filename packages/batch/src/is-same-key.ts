/** Whether two keys are one, as a `Map` compares. */
export function isSameKey(one: unknown, other: unknown): boolean {
  return one === other || (Number.isNaN(one) && Number.isNaN(other));
}
