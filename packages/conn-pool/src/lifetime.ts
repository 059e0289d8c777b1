/** Connections made together retire over this last share of their lifetime, so that their replacements do not come in one burst. */
const SPREAD = 0.2;
/** The share of the lifetime at the end that is kept for the replacement to connect. */
const HANDOVER = 0.02;

/** When a connection's life ends. */
export interface Lifetime {
  /** From when on it is replaced. */
  readonly retireAt: number;
  /** When it goes, replaced or not. */
  readonly dieAt: number;
}

/**
 * The end of the life of a connection made at `now`. It never outlives `maxLifetime` while idle, and retires somewhere in the
 * fifth before.
 *
 * @param random from 0 to 1
 */
export function lifetimeFrom(now: number, maxLifetime: number, random: number): Lifetime {
  const retireAt = now + maxLifetime * (1 - HANDOVER - SPREAD * random);
  return { retireAt, dieAt: now + maxLifetime };
}
