import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const index = new URL('../src/index.ts', import.meta.url).href;

/** Runs a program in a process of its own, with `Batcher` at hand. Returns what it printed. */
async function run(program: string): Promise<string> {
  const code = `import { Batcher } from ${JSON.stringify(index)};\n${program}`;
  const flags = ['--expose-gc', '--no-warnings', '--experimental-strip-types', '--input-type=module', '-e', code];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 60_000 });
  return stdout.trim();
}

test('operations that linger keep the process alive until they are carried out', async () => {
  const program = `
    const batcher = new Batcher({ execute: (ops) => ops, linger: 50 });
    void batcher.add(1).then((result) => console.log('result', result));`;
  expect(await run(program)).toBe('result 1');
});

test('nothing keeps the process alive after close, nor while nothing is pending', async () => {
  const program = `
    const idle = new Batcher({ execute: (ops) => ops, linger: 1e9 });
    await Promise.all([idle.add(1, { timeout: 1e9 }), idle.add(2), idle.flush()]);
    const hanging = new Batcher({ execute: () => new Promise(() => {}), linger: 1e9, timeout: 1e9, maxPending: 2, whenFull: 'wait' });
    const results = hanging.addMany([1, 2, 3], { timeout: 1e9 });
    hanging.ready().catch(() => {});
    await hanging.close({ timeout: 10 });
    console.log((await results).map(({ status }) => status).join());`;
  expect(await run(program)).toBe('rejected,rejected,rejected');
});

test('nothing of an operation is kept once it has settled, however it did', async () => {
  const program = `
    const kinds = ['read', 'write', 'delete', 'create'];
    const batcher = new Batcher({
      execute: async (ops) => ops.map(({ id }) => (id % 5 === 0 ? new Error('no') : { id })),
      groupBy: ({ kind }) => kind,
      orderingKey: ({ key }) => key,
      dedupeKey: ({ kind, key }) => (kind === 'read' ? key : undefined),
      sizeOf: () => 1.5,
      maxPending: 5000,
      whenFull: 'wait',
      linger: 1,
      retry: { attempts: 2, baseDelay: 1 },
    });
    const ops = [];
    const controller = new AbortController();
    const add = (id) => {
      const op = { id, kind: kinds[id % 4], key: { of: id % 3 === 0 ? id >> 3 : id } };
      ops.push(new WeakRef(op), new WeakRef(op.key));
      return batcher.add(op, [undefined, { timeout: 1e6 }, { signal: controller.signal }, { priority: id % 7 }][id % 4]);
    };
    const round = () => Promise.allSettled(Array.from({ length: 20_000 }, (_, id) => add(id)));
    setTimeout(() => controller.abort(), 2);
    // The results go: an error keeps the array its stack was made under.
    await round().then(() => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc();
    console.log(ops.filter((ref) => ref.deref() !== undefined).length, batcher.stats().pending);`;
  expect(await run(program)).toBe('0 0');
});
