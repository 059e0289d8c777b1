/** What holds HTTP headers: a `Headers` object, or a record of them as Node.js and most clients give. */
export type HeadersLike =
  | { get(name: string): string | null | undefined }
  | Readonly<Record<string, string | number | readonly string[] | null | undefined>>;

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';

/** The three forms a recipient must accept (RFC 9110, section 5.6.7): the one of today, the one of RFC 850, and that of `asctime`. */
const IMF_DATE: RegExp = new RegExp(`^${DAY}, \\d{2} ${MONTH} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$`);
const RFC850_DATE: RegExp = new RegExp(`^${DAY}[a-z]*day, \\d{2}-${MONTH}-\\d{2} \\d{2}:\\d{2}:\\d{2} GMT$`);
const ASCTIME_DATE: RegExp = new RegExp(`^${DAY} ${MONTH} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4}$`);

/**
 * How long an HTTP answer asks to wait, in milliseconds: what its `Retry-After` says (RFC 9110, section 10.2.3), as seconds or as a date.
 * For `retry.retryAfter` of a `Batcher`. `undefined` when it says nothing that can be understood; 0 for a date that has passed.
 *
 * @param from the headers, or the value of `Retry-After`; a number is in seconds
 * @param now wall time, in milliseconds since 1970: what `Date.now()` gives
 */
export function retryAfterOf(
  from: HeadersLike | string | number | null | undefined,
  now: number = Date.now(),
): number | undefined {
  if (from === null || from === undefined) return undefined;
  if (typeof from === 'number') return Number.isFinite(from) && from >= 0 ? from * 1000 : undefined;
  if (typeof from === 'object') return retryAfterOf(valueIn(from), now);
  const text = from.trim();
  // A standard value has no fraction; some servers send one all the same.
  if (/^\d+(?:\.\d+)?$/.test(text)) return retryAfterOf(Number(text), now);
  const date = timeOf(text);
  return date === undefined || Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function valueIn(headers: HeadersLike): string | number | undefined {
  if (typeof headers.get === 'function') return (headers as Headers).get('retry-after') ?? undefined;
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() !== 'retry-after') continue;
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return typeof first === 'string' || typeof first === 'number' ? first : undefined;
  }
  return undefined;
}

function timeOf(text: string): number | undefined {
  if (IMF_DATE.test(text) || RFC850_DATE.test(text)) return Date.parse(text);
  // It names no time zone and means GMT.
  return ASCTIME_DATE.test(text) ? Date.parse(`${text} GMT`) : undefined;
}
