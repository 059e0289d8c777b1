/** What `sizeOf` may give. */
export const ANY_SIZE: { readonly min: number; readonly max: number } = { min: 0, max: Number.MAX_SAFE_INTEGER };
