import { randomBytes } from 'node:crypto';

/**
 * What is kept under a key: a value, or for a while the mark that one was deleted. It is one line of text, for that is what every adapter can carry:
 * `perf1`, the generation of the namespace, an id that no other cell has, the time it expires (nothing for never), and the bytes in base64 (`-` for a mark), with colons between them.
 */
export interface KeyvCell {
  readonly generation: string;
  readonly id: string;
  /** Milliseconds of the wall clock; `Infinity` for never. */
  readonly expires: number;
  readonly bytes: Uint8Array | undefined;
}

const FORMAT = 'perf1';
const NO_BYTES = '-';
const SHAPE = /^perf1:([0-9a-f]*):([0-9a-f]+):(\d*):(-|[A-Za-z0-9+/=]*)$/;

/** 16 characters that nobody else has made. */
export function randomId(): string {
  return randomBytes(8).toString('hex');
}

export function packCell({ generation, id, expires, bytes }: KeyvCell): string {
  const text = bytes === undefined ? NO_BYTES : Buffer.from(bytes).toString('base64');
  return [FORMAT, generation, id, expires === Infinity ? '' : expires, text].join(':');
}

/** `undefined` for what is not ours. */
export function unpackCell(raw: unknown): KeyvCell | undefined {
  const [, generation, id, expires, text] = (typeof raw === 'string' && SHAPE.exec(raw)) || [];
  if (generation === undefined || id === undefined || text === undefined) return undefined;
  return {
    generation,
    id,
    expires: expires === '' ? Infinity : Number(expires),
    bytes: text === NO_BYTES ? undefined : Buffer.from(text, 'base64'),
  };
}
