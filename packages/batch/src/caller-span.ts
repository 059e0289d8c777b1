import type { Context, ContextManager, Link, Span } from '@opentelemetry/api';

/** Where `@opentelemetry/api` 1.x keeps the registered SDK, and the span within a context (`createContextKey` is `Symbol.for`). */
const API: unique symbol = Symbol.for('opentelemetry.js.api.1');
const SPAN: unique symbol = Symbol.for('OpenTelemetry Context Key SPAN');

/**
 * The active span, as a link; `undefined` without one. The API package is an optional peer, imported for its types only, so that this reads
 * what `trace.getActiveSpan()` reads.
 */
export function callerSpan(): Link | undefined {
  const registered = (globalThis as { [API]?: { readonly context?: ContextManager } | undefined })[API];
  const active: Context | undefined = registered?.context?.active();
  const span = active?.getValue(SPAN) as Span | undefined;
  return span === undefined ? undefined : { context: span.spanContext() };
}
