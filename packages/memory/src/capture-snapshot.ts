import { checkLimit, checkName, checkOptions, checkPositiveInteger, checkRange } from '@perf/core';
import { mkdtempSync, realpathSync, rmdirSync, statSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { join, resolve } from 'node:path';
import { setHeapSnapshotNearHeapLimit } from 'node:v8';
import { MemoryReader, threadHeapLimit } from './memory-reader.ts';

/** Options of {@link captureSnapshotNearLimit}. */
export interface CaptureSnapshotOptions {
  /** The folder the snapshot shall go to. It must be where Node.js writes: `--diagnostic-dir`, or else the working directory. */
  readonly dir: string;
  /** How many snapshots at most. @default 1 */
  readonly count?: number | undefined;
  /**
   * How many times the heap limit must be free in memory. Node.js says twice; many small objects took up to 20 times here, large arrays little.
   * Too little ends in a kill by the kernel and half a file. @default 4
   */
  readonly headroom?: number | undefined;
  /** Bytes of free memory to count on; `'auto'`: what the container has left, or the machine. @default 'auto' */
  readonly available?: 'auto' | number | undefined;
}

/** Why no snapshot will be taken. */
export type SnapshotRefusal = 'already-armed' | 'directory' | 'not-writable' | 'disk-space' | 'memory';

/** What {@link captureSnapshotNearLimit} did. */
export interface SnapshotCapture {
  /** Whether Node.js will write a snapshot when the heap is nearly full. */
  readonly armed: boolean;
  /** Why not; `undefined` when it will. */
  readonly refusal: SnapshotRefusal | undefined;
  /** The same in words, with what to do; for a log. */
  readonly reason: string;
  /** Where Node.js writes to: `Heap.<date>.<time>.<pid>.<thread>.<n>.heapsnapshot`. */
  readonly dir: string;
  /** Bytes of memory a snapshot may take. */
  readonly needed: number;
  /** Bytes of memory that are free. */
  readonly available: number;
}

/** A snapshot file of large heaps was twice to two and a half times the heap. */
const FILE_FACTOR = 2.5;
const FLAG = '--heapsnapshot-near-heap-limit';

/** Per thread, like the setting itself: Node.js ignores a second call in silence. */
let armed = false;

/**
 * Has this thread write a heap snapshot when its heap is nearly full, if that can work: the folder, the disk, and above all the free memory are checked
 * first, for a snapshot takes a multiple of the heap and stops the process for many seconds. Once per thread, for good.
 *
 * @returns whether it will, or why not; only unfit options throw
 * @throws TypeError | RangeError when an option is unfit
 */
export function captureSnapshotNearLimit(options: CaptureSnapshotOptions): SnapshotCapture {
  checkOptions('captureSnapshotNearLimit', options, ['dir', 'count', 'headroom', 'available']);
  const { count = 1, headroom = 4, available = 'auto' } = options;
  const dir = resolve(checkName('dir', options.dir));
  checkPositiveInteger('count', count);
  checkRange('headroom', headroom, { min: 1, max: 1000 });
  if (available !== 'auto') checkLimit('available', available);
  const heap = threadHeapLimit();
  const needed = heap * headroom;
  const free = available === 'auto' ? freeMemory() : available;
  const target = diagnosticDir();
  const facts = { dir: target, needed, available: free };
  const refusal =
    checkArmed() ?? checkFolder(dir, target) ?? checkDisk(target, heap * FILE_FACTOR * count) ?? checkFree(facts);
  if (refusal !== undefined) return { ...facts, ...refusal, armed: false };
  setHeapSnapshotNearHeapLimit(count);
  armed = true;
  return { ...facts, armed: true, refusal: undefined, reason: `a snapshot will be written to ${target}` };
}

type Refused = Pick<SnapshotCapture, 'refusal' | 'reason'>;

function checkArmed(): Refused | undefined {
  const words = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  if (!armed && !words.some((word) => word.startsWith(FLAG))) return undefined;
  return { refusal: 'already-armed', reason: `it is set already, by an earlier call or ${FLAG}` };
}

function checkFolder(dir: string, target: string): Refused | undefined {
  try {
    if (!statSync(dir).isDirectory()) return { refusal: 'not-writable', reason: `${dir} is no folder` };
    // Tried, not asked: permissions say yes to root where a file system says no.
    rmdirSync(mkdtempSync(join(dir, '.perf-')));
    if (realpathSync(dir) === realpathSync(target)) return undefined;
  } catch (error) {
    return { refusal: 'not-writable', reason: `${dir} cannot be written to: ${String(error)}` };
  }
  const reason = `Node.js would write to ${target}; start it with --diagnostic-dir=${dir}, which cannot be set later`;
  return { refusal: 'directory', reason };
}

function checkDisk(target: string, bytes: number): Refused | undefined {
  const free = freeDisk(target);
  if (free === undefined || free >= bytes) return undefined;
  return { refusal: 'disk-space', reason: `${target} has ${free} bytes free, the snapshot may need ${bytes}` };
}

/** `undefined` on a file system that does not tell. */
function freeDisk(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function checkFree({
  needed,
  available,
}: {
  readonly needed: number;
  readonly available: number;
}): Refused | undefined {
  if (available >= needed) return undefined;
  const reason = `${available} bytes of memory are free, a snapshot may need ${needed}: lower the heap limit or \`headroom\``;
  return { refusal: 'memory', reason };
}

function freeMemory(): number {
  const { containerLimit, containerUsed = 0 } = new MemoryReader().read(0);
  return containerLimit === undefined ? freemem() : Math.min(freemem(), Math.max(0, containerLimit - containerUsed));
}

/** As Node.js finds it: `--diagnostic-dir`, the last one, or the working directory. */
function diagnosticDir(): string {
  const words = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv].flatMap((word) =>
    word.split('='),
  );
  const at = words.lastIndexOf('--diagnostic-dir');
  return resolve(at < 0 ? '.' : (words[at + 1] ?? '.'));
}
