/** A cache policy that only counts: no values, unit weights unless it says otherwise. */
export interface Simulator {
  /** Asks for a key, which is kept from then on if the policy takes it. @returns whether it was there */
  request(key: number): boolean;
}
