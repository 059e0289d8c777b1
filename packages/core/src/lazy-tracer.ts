/** @ts-ignore: an optional peer; without it these types are `any`. */
import type { Span, SpanOptions, SpanStatusCode, Tracer, TracerProvider } from '@opentelemetry/api';
import { otelGlobal, reserveOtelGlobal } from './otel-global.ts';

const STATUS_ERROR = 2 satisfies SpanStatusCode.ERROR;

/**
 * An OpenTelemetry tracer that is there as soon as an SDK is, registered before or after this object was made,
 * and costs a property read while there is none.
 */
export class LazyTracer {
  readonly #name: string;
  readonly #version: string | undefined;
  #provider: TracerProvider | undefined;
  #tracer: Tracer | undefined;

  /** @param name the instrumentation scope, by convention the package's name */
  constructor(name: string, version?: string) {
    this.#name = name;
    this.#version = version;
    reserveOtelGlobal();
  }

  /** The SDK's tracer, or `undefined` while no SDK is registered. */
  current(): Tracer | undefined {
    const provider = otelGlobal()?.trace;
    if (provider !== this.#provider) {
      this.#provider = provider;
      this.#tracer = undefined;
      try {
        this.#tracer = provider?.getTracer(this.#name, this.#version);
      } catch {
        // An SDK that throws is none.
      }
    }
    return this.#tracer;
  }

  /**
   * Runs `work` inside a new active span, which ends when `work` returns or its promise settles; an error is recorded on it and
   * rethrown unchanged. Without an SDK, or with one that throws, it is just `work(undefined)`.
   */
  span<T>(name: string, options: SpanOptions, work: (span: Span | undefined) => T): T {
    const tracer = this.current();
    if (tracer === undefined) return work(undefined);
    let outcome: (() => T) | undefined;
    hush(() => {
      tracer.startActiveSpan(name, options, (span) => {
        outcome = outcomeOf(() => runInSpan(span, work));
      });
    });
    return outcome === undefined ? work(undefined) : outcome();
  }
}

/** Does the work once, and tells what came of it. */
function outcomeOf<T>(work: () => T): () => T {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** What an SDK throws is not to hurt what it looks at. */
function hush(observe: () => void): void {
  try {
    observe();
  } catch {}
}

function runInSpan<T>(span: Span, work: (span: Span) => T): T {
  let result: T;
  try {
    result = work(span);
  } catch (error) {
    endWithError(span, error);
    throw error;
  }
  if (!(result instanceof Promise)) {
    hush(() => span.end());
    return result;
  }
  return result.then(
    (value: unknown) => {
      hush(() => span.end());
      return value;
    },
    (error: unknown) => {
      endWithError(span, error);
      throw error;
    },
  ) as T;
}

function endWithError(span: Span, error: unknown): void {
  hush(() => {
    const isError = error instanceof Error;
    span.recordException(isError ? error : String(error));
    span.setAttribute('error.type', isError ? errorType(error) : typeof error);
    span.setStatus({ code: STATUS_ERROR, message: isError ? error.message : String(error) });
  });
  hush(() => span.end());
}

/** The code where there is one, else the name: both are few enough for an attribute, and a code tells more. */
function errorType(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
