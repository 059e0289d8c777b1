import { AsyncResource } from 'node:async_hooks';

const kept: unknown[] = [];

/** The async context this module was loaded in. */
const atLoad = /* @__PURE__ */ new AsyncResource('PerfBatchKept', { requireManualDestroy: true });

/**
 * Keeps one instance of a hot class alive for good. When a full garbage collection finds no object of a hidden class, V8 drops the class, and with it the code
 * compiled for it: a batcher would be several times slower after each quiet spell. The instance must hold what others will hold: V8 moves a class to a new
 * hidden one when a field that has held objects gets a small integer, or the other way round.
 */
export function keep(instance: unknown): void {
  kept.push(instance);
}

/** Makes what is kept in the context this module was loaded in: that of the request that needed it first would be kept with it. */
export function keepMade(make: () => unknown): void {
  atLoad.runInAsyncScope(() => keep(make()));
}
