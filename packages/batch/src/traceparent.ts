/** @ts-ignore: an optional peer; without it these types are `any`. */
import type { Link } from '@opentelemetry/api';
import { activeSpanContext } from '@perf/core';

const FORMAT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Names the span that is active now, as the header of W3C Trace Context does; `undefined` without one. */
export function currentTraceparent(): string | undefined {
  const context = activeSpanContext();
  if (context === undefined) return undefined;
  const flags = (context.traceFlags & 0xff).toString(16).padStart(2, '0');
  const text = `00-${context.traceId}-${context.spanId}-${flags}`;
  return FORMAT.test(text) ? text : undefined;
}

/** A link to the span a `traceparent` names; `undefined` for one that is none. */
export function traceparentLink(traceparent: string): Link | undefined {
  const [, traceId, spanId, flags] = FORMAT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { context: { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true } };
}
