const kept: unknown[] = [];

/**
 * Keeps one instance of a hot class alive for good. When a full garbage collection finds no object of a hidden class, V8 drops the class, and with it the code
 * compiled for it: a batcher would be several times slower after each quiet spell. The instance must hold what others will hold: V8 moves a class to a new
 * hidden one when a field that has held objects gets a small integer, or the other way round.
 */
export function keep(instance: unknown): void {
  kept.push(instance);
}
