import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * What is kept under a name: a value, or for a while the mark that one was deleted, or nothing but an id that changes. It is one line of text, for that is what every
 * adapter can carry: `perf2`, a checksum of the name and the rest, the generation of the namespace, an id that no other cell has, the time it expires (nothing for never),
 * its tags (nothing for none) and the bytes in base64 (`-` for a mark), with colons between them.
 */
export interface KeyvCell {
  readonly generation: string;
  readonly id: string;
  /** Milliseconds of the wall clock; `Infinity` for never. */
  readonly expires: number;
  readonly bytes: Uint8Array | undefined;
  /** Each with the id its own cell had when this one was written. */
  readonly tags: readonly KeyvTag[];
}

export type KeyvTag = readonly [tag: string, id: string];

const FORMAT = 'perf2';
const NO_BYTES = '-';
const NO_TAGS: readonly KeyvTag[] = [];
const SHAPE = /^perf2:([0-9a-f]{8}):(([0-9a-f]*):([0-9a-f]+):(\d*):([A-Za-z0-9_-]*):(-|[A-Za-z0-9+/=]*))$/;

/** 16 characters that nobody else has made. */
export function randomId(): string {
  return randomBytes(8).toString('hex');
}

/** A cell that is nothing but an id. */
export function markOf(id: string, generation = ''): KeyvCell {
  return { generation, id, expires: Infinity, bytes: undefined, tags: NO_TAGS };
}

export function packCell(name: string, { generation, id, expires, bytes, tags }: KeyvCell): string {
  const text = bytes === undefined ? NO_BYTES : Buffer.from(bytes).toString('base64');
  const list = tags.length === 0 ? '' : Buffer.from(JSON.stringify(tags)).toString('base64url');
  const rest = [generation, id, expires === Infinity ? '' : expires, list, text].join(':');
  return `${FORMAT}:${checksumOf(name, rest)}:${rest}`;
}

/** `undefined` for what is not ours, is another name's, or has been altered. */
export function unpackCell(name: string, raw: unknown): KeyvCell | undefined {
  const found = typeof raw === 'string' ? SHAPE.exec(raw) : null;
  if (found === null) return undefined;
  const [, checksum, rest = '', generation = '', id = '', expires = '', list = '', text = ''] = found;
  if (checksum !== checksumOf(name, rest)) return undefined;
  return {
    generation,
    id,
    expires: expires === '' ? Infinity : Number(expires),
    bytes: text === NO_BYTES ? undefined : Buffer.from(text, 'base64'),
    // Whatever has our checksum is what we wrote.
    tags: list === '' ? NO_TAGS : (JSON.parse(Buffer.from(list, 'base64url').toString()) as readonly KeyvTag[]),
  };
}

function checksumOf(name: string, rest: string): string {
  return crc32(rest, crc32(name)).toString(16).padStart(8, '0');
}
