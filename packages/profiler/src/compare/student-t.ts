/** The 97.5 % quantile of the normal distribution: both ends of a 95 % interval. */
const Z = 1.959963984540054;

/**
 * The 97.5 % quantile of Student's t with `df` degrees of freedom (4 or more, not necessarily whole), to three digits.
 * Cornish-Fisher expansion: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
 */
export function tQuantile(df: number): number {
  const z2 = Z * Z;
  const g1 = (Z * (z2 + 1)) / 4;
  const g2 = (Z * (3 + z2 * (16 + 5 * z2))) / 96;
  const g3 = (Z * (-15 + z2 * (17 + z2 * (19 + 3 * z2)))) / 384;
  const g4 = (Z * (-945 + z2 * (-1920 + z2 * (1482 + z2 * (776 + 79 * z2))))) / 92_160;
  return Z + (g1 + (g2 + (g3 + g4 / df) / df) / df) / df;
}
