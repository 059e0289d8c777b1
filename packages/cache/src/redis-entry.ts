import { randomFillSync } from 'node:crypto';
import { NO_TAGS } from './no-tags.ts';

/**
 * What is stored under a key. A deletion is stored as well, for a while: without it, a value that was loaded before the deletion could not be told from one that was loaded after.
 *
 * ```
 *  0  format      '2'
 *  1  kind        V, a value; T, where one was (a tombstone); P, where nothing is but a lease (a placeholder)
 *  2  id          of the change that wrote it
 * 14  generation  of the namespace, when it was read before the value was loaded
 * 26  expires     milliseconds of Redis's clock, Infinity for never
 * 34  sequence    how many times tags had been invalidated, when that was read before the value was loaded
 * 42  leased      milliseconds of Redis's clock at which the last lease ends
 * 50  holder      of the last lease: the generation it was given in, and its id
 * 74  tag bytes   how many
 * 78  tags        a JSON array, or nothing
 *     bytes
 * ```
 *
 * Ids are 12 characters, numbers little-endian doubles but for the last.
 */
export const LAYOUT = {
  state: 14,
  generation: 14,
  expires: 26,
  sequence: 34,
  leased: 42,
  holder: 50,
  tagBytes: 74,
  header: 78,
} as const;

const FORMAT = '2';
const ID_LENGTH = 12;

/** Sets `target`, where changes go: the entry, or a second key for a copy of it, which is made by `change`. Sets `now`, `head` (empty if what is stored is not ours), and `state`, which is empty for a placeholder too: it says no more than an absence. */
export const OPEN_ENTRY: string = `
local target = KEYS[2] or KEYS[1]
local function change() if KEYS[2] then redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE') end end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.pcall('GETRANGE', KEYS[1], 0, ${LAYOUT.header - 1})
if type(head) == 'table' or #head < ${LAYOUT.header} or not string.find(head, '^${FORMAT}[VTP]') then head = '' end
local state = string.sub(head, 1, ${LAYOUT.state})
if string.sub(head, 2, 2) == 'P' then state = '' end
local function leased() return struct.unpack('<d', string.sub(head, ${LAYOUT.leased + 1}, ${LAYOUT.leased + 8})) end
local function holder() return string.sub(head, ${LAYOUT.holder + 1}, ${LAYOUT.holder + 2 * ID_LENGTH}) end`;

/** What is stored, taken apart. */
export interface RedisEntry {
  /** Tells what is stored from anything that was or will be: its bytes, as characters; empty where nothing is. */
  readonly state: string;
  /** 0 without a lease. */
  readonly leasedUntil: number;
  readonly leaseGeneration: string;
  readonly value: RedisValue | undefined;
}

/** A value as it is stored. */
export interface RedisValue {
  readonly generation: string;
  readonly sequence: number;
  readonly expires: number;
  readonly tags: readonly string[];
  readonly bytes: Uint8Array;
}

const NOTHING: RedisEntry = { state: '', leasedUntil: 0, leaseGeneration: '', value: undefined };

const IDS_AT_ONCE = 256;
const RANDOM_BYTES = 9;
const random = Buffer.alloc(IDS_AT_ONCE * RANDOM_BYTES);
let used = random.length;

/** 12 characters that nobody else has made or will. */
export function randomId(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  return random.toString('base64url', used, (used += RANDOM_BYTES));
}

export function isId(text: string): boolean {
  return /^[\w-]{12}$/.test(text);
}

/** A value whose expiry, unless it is never, is for Redis to fill in. */
export function packValue({ generation, sequence, expires, tags, bytes }: RedisValue): Buffer {
  const text = tags.length === 0 ? '' : JSON.stringify(tags);
  const tagBytes = Buffer.byteLength(text);
  const packed = Buffer.allocUnsafe(LAYOUT.header + tagBytes + bytes.length);
  writeHeader(packed, 'V', generation);
  packed.writeDoubleLE(expires, LAYOUT.expires);
  packed.writeDoubleLE(sequence, LAYOUT.sequence);
  packed.writeUInt32LE(tagBytes, LAYOUT.tagBytes);
  if (tagBytes > 0) packed.write(text, LAYOUT.header);
  packed.set(bytes, LAYOUT.header + tagBytes);
  return packed;
}

/** A tombstone, or a placeholder. */
export function packMark(kind: 'T' | 'P'): Buffer {
  const packed = Buffer.allocUnsafe(LAYOUT.header);
  writeHeader(packed, kind, ' '.repeat(ID_LENGTH));
  return packed;
}

/** Any bytes give an entry; those that are not ours are nothing. */
export function unpackEntry(raw: Buffer): RedisEntry {
  if (raw.length < LAYOUT.header) return NOTHING;
  const head = raw.toString('latin1', 0, LAYOUT.expires);
  const kind = head[1];
  if (head[0] !== FORMAT || (kind !== 'V' && kind !== 'T' && kind !== 'P')) return NOTHING;
  const leasedUntil = raw.readDoubleLE(LAYOUT.leased);
  return {
    state: kind === 'P' ? '' : head.slice(0, LAYOUT.state),
    leasedUntil,
    leaseGeneration: leasedUntil > 0 ? raw.toString('latin1', LAYOUT.holder, LAYOUT.holder + ID_LENGTH) : '',
    value: kind === 'V' ? unpackValue(raw, head.slice(LAYOUT.generation)) : undefined,
  };
}

function unpackValue(raw: Buffer, generation: string): RedisValue | undefined {
  const tagBytes = raw.readUInt32LE(LAYOUT.tagBytes);
  const start = LAYOUT.header + tagBytes;
  const tags = tagBytes === 0 ? NO_TAGS : parseTags(raw.subarray(LAYOUT.header, start));
  if (start > raw.length || tags === undefined) return undefined;
  return {
    generation,
    sequence: raw.readDoubleLE(LAYOUT.sequence),
    expires: raw.readDoubleLE(LAYOUT.expires),
    tags,
    bytes: raw.subarray(start),
  };
}

function parseTags(raw: Buffer): readonly string[] | undefined {
  try {
    const tags: unknown = JSON.parse(raw.toString());
    return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string') ? (tags as string[]) : undefined;
  } catch {
    return undefined;
  }
}

function writeHeader(packed: Buffer, kind: 'V' | 'T' | 'P', generation: string): void {
  packed.fill(0, LAYOUT.expires, LAYOUT.header);
  packed.write(FORMAT + kind + randomId() + generation, 0, 'latin1');
}
