/** The tags of what has none: always this very array, so that a comparison tells. */
export const NO_TAGS: readonly string[] = [];
