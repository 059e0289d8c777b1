import { AsyncLocalStorage } from 'node:async_hooks';
import type { Carried } from './frame.ts';

/** Identifies a span on the other side. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

/** Shared by the copies of this package in a thread: the worker's entry may be another bundle than what the task imports. */
const STORAGE: unique symbol = Symbol.for('@perf/pool/carried');
const root = globalThis as { [STORAGE]?: AsyncLocalStorage<Carried> };

function storage(): AsyncLocalStorage<Carried> {
  return (root[STORAGE] ??= new AsyncLocalStorage());
}

/**
 * Within a task, and in everything asynchronous it starts: what the pool's option `carry` returned when the task was submitted, such as the value of an
 * `AsyncLocalStorage`. `undefined` elsewhere.
 */
export function carriedValue<T = unknown>(): T | undefined {
  return root[STORAGE]?.getStore()?.value as T | undefined;
}

/** Runs `work` where {@link carriedValue} tells what was carried, and where new spans are children of the caller's. */
export function withCarried<R>(carried: Carried, work: () => R): R {
  return storage().run(carried, () => (carried.span === undefined ? work() : withSpan(carried.span, work)));
}

interface OtelContext {
  setValue(key: symbol, value: unknown): OtelContext;
}
interface ContextManager {
  active(): OtelContext;
  with<R>(context: OtelContext, work: () => R): R;
}

/** Where the API package keeps what an SDK of this thread registered, and under which key a context keeps its span. See `otel-global` of core. */
const OTEL: unique symbol = Symbol.for('opentelemetry.js.api.1');
const SPAN: unique symbol = Symbol.for('OpenTelemetry Context Key SPAN');

function withSpan<R>(spanContext: SpanContext, work: () => R): R {
  const otel = (globalThis as { [OTEL]?: { context?: ContextManager } })[OTEL];
  const manager = otel?.context;
  if (manager === undefined) return work();
  return manager.with(manager.active().setValue(SPAN, remoteSpan({ ...spanContext, isRemote: true })), work);
}

/** A span of elsewhere: it can be a parent, and records nothing here. */
function remoteSpan(spanContext: object): object {
  const span = {
    spanContext: () => spanContext,
    setAttribute: () => span,
    setAttributes: () => span,
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    setStatus: () => span,
    updateName: () => span,
    end: () => {},
    isRecording: () => false,
    recordException: () => {},
  };
  return span;
}
