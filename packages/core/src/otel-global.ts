import type { ContextManager, MeterProvider, TracerProvider } from '@opentelemetry/api';

/**
 * Where `@opentelemetry/api` 1.x keeps what an SDK registered, for every copy of the package in the process
 * (`src/internal/global-utils.ts` there). It is read directly because the package is an optional peer that ships one copy
 * for `import` and another for `require`: only this object is common to them, and to an SDK registered later.
 */
const KEY: unique symbol = Symbol.for('opentelemetry.js.api.1');

/** What an SDK has registered; each part comes and goes by itself. */
export interface OtelGlobal {
  readonly trace?: TracerProvider;
  readonly metrics?: MeterProvider;
  readonly context?: ContextManager;
}

const root = globalThis as { [KEY]?: OtelGlobal | undefined };

/**
 * Makes the lookup of an absent SDK cheap: V8 folds a property that exists with the value `undefined` to a constant,
 * but walks the prototype chain of the global object for one that does not (0.3 ns against 5 ns). The API package
 * treats the two alike.
 */
export function reserveOtelGlobal(): void {
  if (!Object.hasOwn(root, KEY)) {
    Object.defineProperty(root, KEY, { value: undefined, writable: true, configurable: true, enumerable: false });
  }
}

export function otelGlobal(): OtelGlobal | undefined {
  return root[KEY];
}
