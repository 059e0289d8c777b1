/** Something that reports numbers about itself. */
export interface StatsSource<S> {
  /** A fresh snapshot of plain values; never updated afterwards. */
  stats(): Readonly<S>;
}
