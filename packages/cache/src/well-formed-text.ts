/** Marks what is not stored as it is. */
const MARK = '\ufffd';

/**
 * A text that survives UTF-8, which makes all lone surrogates alike. No two texts become the same, and nearly all stay as they are.
 */
export function toWellFormed(text: string): string {
  if (!text.isWellFormed()) return `${MARK}#${JSON.stringify(text)}`;
  return text.startsWith(MARK) ? MARK + text : text;
}
