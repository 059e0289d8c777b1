const VERSION = 2;
const HEADER_SIZE = 17;

/** What a tiered cache writes to a store: the encoded value, and what is known about its life. */
export interface Envelope {
  /** The last milliseconds of the entry's life, in which it is stale. */
  readonly staleFor: number;
  /** Milliseconds the load of the value took, 0 when it was not loaded. */
  readonly cost: number;
  readonly payload: Uint8Array;
}

/** Layout: a version byte, `staleFor` and `cost` as little-endian doubles, the payload. */
export function sealEnvelope({ staleFor, cost, payload }: Envelope): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + payload.length);
  bytes[0] = VERSION;
  bytes.writeDoubleLE(staleFor, 1);
  bytes.writeDoubleLE(cost, 9);
  bytes.set(payload, HEADER_SIZE);
  return bytes;
}

/** `undefined` for bytes that are no envelope of ours. */
export function openEnvelope(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < HEADER_SIZE || bytes[0] !== VERSION) return undefined;
  const view = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const staleFor = view.readDoubleLE(1);
  const cost = view.readDoubleLE(9);
  return isSpan(staleFor) && isSpan(cost) ? { staleFor, cost, payload: view.subarray(HEADER_SIZE) } : undefined;
}

function isSpan(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0;
}
