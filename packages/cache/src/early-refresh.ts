/** No draw moves a refresh ahead by more than this many times `cost * eagerness`: the smallest random number is 2^-53. */
const FARTHEST = 37;

/** What {@link isEarlyRefreshDue} decides about. */
export interface EarlyRefresh {
  /** When the value stops being fresh. */
  readonly freshUntil: number;
  /** Milliseconds its load took. */
  readonly cost: number;
  /** How eagerly values are refreshed: 1 is the optimum of the paper, more is earlier, 0 never. */
  readonly eagerness: number;
}

/** Up to when {@link isEarlyRefreshDue} is false whatever is drawn. */
export function earliestRefresh({ freshUntil, cost, eagerness }: EarlyRefresh): number {
  // Not a product with zero, which would be NaN for a value that is fresh for ever.
  return cost === 0 || eagerness === 0 ? freshUntil : freshUntil - FARTHEST * cost * eagerness;
}

/**
 * Whether a value should be refreshed although it is still fresh: by chance, the likelier the nearer its end is and the longer its load takes, so that one caller
 * refreshes a popular value before it ends for all of them. XFetch (Vattani, Chierichetti & Lowenstein, "Optimal Probabilistic Cache Stampede
 * Prevention", VLDB 2015).
 */
export function isEarlyRefreshDue(refresh: EarlyRefresh, now: number): boolean {
  const drawn = -Math.log(1 - Math.random());
  return now + refresh.cost * refresh.eagerness * drawn >= refresh.freshUntil;
}
