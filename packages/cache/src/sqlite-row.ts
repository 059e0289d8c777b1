import { crc32 } from 'node:zlib';

/** What an entry's row says of it. */
export interface EntryHead {
  /** The number of the change that wrote it. */
  readonly seq: number;
  readonly namespace: number;
  readonly key: string;
  /** By the wall clock; `null` for never. */
  readonly expires: number | null;
  /** A JSON array; `null` for none. */
  readonly tags: string | null;
}

/**
 * A checksum of everything an entry is told by. SQLite has none of its own: a bit that has flipped on the disk, in a key, a time or a value, goes unnoticed
 * by it where it tears no page.
 */
export function checksumOf({ seq, namespace, key, expires, tags }: EntryHead, bytes: Uint8Array): number {
  const head = crc32(`${seq} ${namespace} ${expires} ${tags} ${key}`);
  // Of an empty blob that SQLite gave, Node.js 22 makes 0.
  return bytes.length === 0 ? head : crc32(bytes, head);
}

/** The tags in a row; `undefined` when they are no list of texts. */
export function parseTags(json: string): readonly string[] | undefined {
  try {
    const tags: unknown = JSON.parse(json);
    return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string') ? tags : undefined;
  } catch {
    return undefined;
  }
}
