/**
 * The partition of a key: the same in every process and version, or operations of one key would lose their order. FNV-1a (Fowler, Noll, Vo) over
 * UTF-16 code units, its high bits folded in, as the low ones of keys that differ little are much alike.
 */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  hash ^= hash >>> 15;
  return (hash >>> 0) % partitions;
}
