import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type SnapshotCapture, captureSnapshotNearLimit } from '../src/index.ts';

const FILE = fileURLToPath(new URL('fixtures/fill-heap.ts', import.meta.url));
const GIB = 2 ** 30;
let dir: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'perf-snapshot-')));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What the child was answered; it may die, that is the point of it. */
function inChild(options: object, { flags = [], fill = '' }: { flags?: string[]; fill?: string } = {}) {
  const args = ['--max-old-space-size=40', ...flags, FILE, JSON.stringify(options), fill];
  return new Promise<SnapshotCapture[]>((resolve) => {
    execFile(process.execPath, args, { cwd: dir }, (_, stdout) => resolve(JSON.parse(stdout) as SnapshotCapture[]));
  });
}

describe('captureSnapshotNearLimit', () => {
  test('with ample memory, one complete snapshot is written when the heap is full', async () => {
    const [first, second] = await inChild({ dir, available: 8 * GIB }, { fill: 'fill' });
    expect(first).toMatchObject({ armed: true, dir });
    expect(second).toMatchObject({ armed: false, refusal: 'already-armed' });
    const files = readdirSync(dir);
    expect(files).toEqual([expect.stringMatching(/^Heap\..*\.heapsnapshot$/)]);
    expect(JSON.parse(readFileSync(join(dir, files[0] as string), 'utf8'))).toHaveProperty('snapshot.node_count');
  });

  test('without the memory for it, none is, and the reason says so', async () => {
    const [first] = await inChild({ dir, available: 100 * 2 ** 20 });
    expect(first).toMatchObject({ armed: false, refusal: 'memory', needed: 160 * 2 ** 20, available: 100 * 2 ** 20 });
    expect(first?.reason).toContain('a snapshot may need 167772160');
  });

  test('a folder that Node.js does not write to is refused, until it is started with it', async () => {
    const other = mkdtempSync(join(dir, 'other-'));
    const [refused] = await inChild({ dir: other, available: 8 * GIB });
    expect(refused).toMatchObject({ armed: false, refusal: 'directory', dir });
    expect(refused?.reason).toContain(`--diagnostic-dir=${other}`);
    const [armed] = await inChild({ dir: other, available: 8 * GIB }, { flags: [`--diagnostic-dir=${other}`] });
    expect(armed).toMatchObject({ armed: true, dir: other });
  });

  test('a missing folder, and a file, are refused', async () => {
    writeFileSync(join(dir, 'file'), '');
    for (const bad of ['missing', 'file']) {
      const [refused] = await inChild({ dir: join(dir, bad), available: 8 * GIB });
      expect(refused).toMatchObject({ armed: false, refusal: 'not-writable' });
    }
  });

  test('a folder that may not be written to is refused', async () => {
    // Not even root may write to /proc; elsewhere the tests do not run as root.
    const readOnly = process.platform === 'linux' ? '/proc' : dir;
    if (readOnly === dir) chmodSync(dir, 0o500);
    const [refused] = await inChild({ dir: readOnly, available: 8 * GIB });
    expect(refused).toMatchObject({ armed: false, refusal: 'not-writable' });
  });

  test('a process started with the flag has it already', async () => {
    const flags = ['--heapsnapshot-near-heap-limit=2'];
    const [refused] = await inChild({ dir, available: 8 * GIB }, { flags });
    expect(refused).toMatchObject({ armed: false, refusal: 'already-armed' });
  });

  test.each([
    [{}, '`dir` must be a non-empty string, got undefined'],
    [{ dir: '.', count: 0 }, '`count` must be a positive integer, got 0'],
    [{ dir: '.', headroom: 0.5 }, '`headroom` must be a number from 1 to 1000, got 0.5'],
    [{ dir: '.', available: -1 }, '`available` must be a positive integer or Infinity, got -1'],
    [{ dir: '.', path: '.' }, 'captureSnapshotNearLimit has no option `path`'],
  ])('%o is refused', (options, message) => {
    expect(() => captureSnapshotNearLimit(options as never)).toThrow(message);
  });
});
