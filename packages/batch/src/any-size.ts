/** What `sizeOf` may give. */
export const ANY_SIZE = { min: 0, max: Number.MAX_SAFE_INTEGER } as const;
