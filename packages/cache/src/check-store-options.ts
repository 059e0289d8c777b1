import { checkDuration, checkName } from '@perf/core';

/** Throws unless `value` is a text without colons, which part the names of entries. Returns it. */
export function checkNamePart(option: string, value: unknown): string {
  const text = checkName(option, value);
  if (text.includes(':')) throw new RangeError(`\`${option}\` must not contain a colon, got ${JSON.stringify(text)}`);
  return text;
}

/** Throws unless `value` is a whole number of milliseconds above 0. Returns it. */
export function checkFenceFor(value: unknown): number {
  const fenceFor = checkDuration('fenceFor', value);
  if (!Number.isSafeInteger(fenceFor)) throw new RangeError(`\`fenceFor\` must be finite and whole, got ${fenceFor}`);
  return fenceFor;
}
