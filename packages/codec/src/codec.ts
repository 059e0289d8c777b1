/**
 * Turns values of type `T` into bytes and back. Both directions are synchronous.
 *
 * A codec of this package writes self-describing frames: `decode` gives back the value that was encoded or throws a `CodecError`.
 */
export interface Codec<T> {
  /** Names the payload format in a frame, 0 to 255. Bytes of a codec with another id are refused. */
  readonly id: number;
  /** @throws CodecError `PERF_CODEC_ENCODE` when the value cannot be carried, `PERF_CODEC_TOO_LARGE` when it is too big */
  encode(value: T): Uint8Array;
  /** The result shares no memory with `bytes`. @throws CodecError for anything but an intact frame of this codec */
  decode(bytes: Uint8Array): T;
}
