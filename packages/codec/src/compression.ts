import * as zlib from 'node:zlib';
import { CodecError } from './codec-error.ts';

/** A compression a frame may say it has. */
export type CompressionAlgorithm = 'gzip' | 'brotli' | 'zstd';

interface Compression {
  /** In the low 2 bits of a frame's flags. */
  readonly flag: number;
  compress(bytes: Uint8Array): Buffer;
  decompress(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Buffer;
}

/** What this Node.js can do: zstd came with 22.15, so it is looked up and not imported by name. */
const ALGORITHMS: Readonly<Record<CompressionAlgorithm, Compression | undefined>> = {
  gzip: { flag: 1, compress: zlib.gzipSync, decompress: zlib.gunzipSync },
  brotli: { flag: 2, compress: compressBrotli, decompress: zlib.brotliDecompressSync },
  zstd:
    typeof zlib.zstdCompressSync === 'function'
      ? { flag: 3, compress: zlib.zstdCompressSync, decompress: zlib.zstdDecompressSync }
      : undefined,
};

/** @throws CodecError `PERF_CODEC_UNAVAILABLE` when this Node.js lacks it */
export function compressionNamed(algorithm: CompressionAlgorithm): Compression {
  const compression = ALGORITHMS[algorithm];
  if (compression === undefined) throw unavailable(algorithm);
  return compression;
}

/** The compression of a frame with these flags; `undefined` for none. */
export function compressionOf(flags: number): Compression | undefined {
  switch (flags) {
    case 0:
      return undefined;
    case 1:
      return compressionNamed('gzip');
    case 2:
      return compressionNamed('brotli');
    case 3:
      return compressionNamed('zstd');
    default:
      throw new CodecError('PERF_CODEC_VERSION', `the flags ${flags} of the frame are not known here`);
  }
}

/** Quality 11, the default of Node.js, takes some hundred times as long as this for a few percent. */
function compressBrotli(bytes: Uint8Array): Buffer {
  return zlib.brotliCompressSync(bytes, {
    params: {
      [zlib.constants.BROTLI_PARAM_QUALITY]: 4,
      [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

function unavailable(algorithm: CompressionAlgorithm): CodecError {
  const message = `${algorithm} needs Node.js 22.15 or later, this is ${process.versions.node}`;
  return new CodecError('PERF_CODEC_UNAVAILABLE', message);
}
