import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type Trace, traceOf } from './trace.ts';

/** The names of the trace files in a folder. */
export function traceFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => /\.(arc|txt|int32be|int64be)(\.(gz|xz|zst))?$/.test(file))
    .toSorted();
}

/**
 * Reads a trace: `.arc` lines of `start count …`, `.txt` with one key a line and `*` between sections, or 32- or 64-bit big-endian keys; each as it is or
 * compressed by gzip, zstd or xz (for which there has to be an `xz` command).
 */
export function readTrace(folder: string, file: string): Trace {
  const bytes = decompressed(join(folder, file));
  const [name = file, format] = file.split('.');
  return traceOf(name, keysOf(bytes, format));
}

function decompressed(path: string): Buffer {
  if (path.endsWith('.xz')) return execFileSync('xz', ['-dc', path], { maxBuffer: 2 ** 30 });
  const bytes = readFileSync(path);
  if (path.endsWith('.gz')) return gunzipSync(bytes);
  return path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes;
}

function keysOf(bytes: Buffer, format: string | undefined): Iterable<number | bigint | string> {
  if (format === 'int32be') return integers(bytes, 4);
  if (format === 'int64be') return integers(bytes, 8);
  const lines = bytes.toString('latin1').split('\n');
  return format === 'arc' ? ranges(lines) : lines.map((line) => line.trim()).filter((key) => key !== '' && key !== '*');
}

function* integers(bytes: Buffer, width: 4 | 8): Generator<number | bigint, undefined> {
  for (let at = 0; at + width <= bytes.length; at += width) {
    yield width === 4 ? bytes.readUInt32BE(at) : bytes.readBigUInt64BE(at);
  }
}

function* ranges(lines: readonly string[]): Generator<number, undefined> {
  for (const line of lines) {
    const [start, count] = line.split(' ').map(Number);
    if (start === undefined || count === undefined) continue;
    for (let key = start; key < start + count; key++) yield key;
  }
}
