const VERSION = 1;
const HEADER_SIZE = 9;

/** What a tiered cache writes to a store: the encoded value, and how much of its life is a grace period. */
export interface Envelope {
  /** The last milliseconds of the entry's life, in which it is stale. */
  readonly staleFor: number;
  readonly payload: Uint8Array;
}

/** Layout: a version byte, `staleFor` as a little-endian double, the payload. */
export function sealEnvelope({ staleFor, payload }: Envelope): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + payload.length);
  bytes[0] = VERSION;
  bytes.writeDoubleLE(staleFor, 1);
  bytes.set(payload, HEADER_SIZE);
  return bytes;
}

/** `undefined` for bytes that are no envelope of ours. */
export function openEnvelope(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < HEADER_SIZE || bytes[0] !== VERSION) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const staleFor = view.readDoubleLE(1);
  return staleFor >= 0 ? { staleFor, payload: view.subarray(HEADER_SIZE) } : undefined;
}
