/** @ts-ignore: an optional peer; without it these types are `any`. */
import type { Span, SpanContext } from '@opentelemetry/api';
import { otelGlobal } from './otel-global.ts';

/** Where a context keeps its span: `createContextKey` of the API package is `Symbol.for`. */
const SPAN: unique symbol = Symbol.for('OpenTelemetry Context Key SPAN');

/**
 * The caller's active span, to link it to another; `undefined` without an SDK or a span.
 * It reads what `trace.getActiveSpan()` of the API package reads, which is an optional peer and not to be imported.
 */
export function activeSpan(): Span | undefined {
  try {
    return otelGlobal()?.context?.active().getValue(SPAN) as Span | undefined;
  } catch {
    return undefined;
  }
}

/** Identifies the caller's active span, to link another span to it; `undefined` without an SDK or a span. */
export function activeSpanContext(): SpanContext | undefined {
  try {
    return activeSpan()?.spanContext();
  } catch {
    return undefined;
  }
}
