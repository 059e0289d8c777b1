import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { ToolStore } from '../src/tool-store.ts';
import { isRunning, serverProcesses } from './support/children.ts';
import { oddServer, openOddStore } from './support/odd-store.ts';

const text = (result: unknown): unknown => (result as { content: { text: string }[] }).content[0]?.text;
const names = (store: ToolStore): string[] => store.listTools().map(({ name }) => name);
const processes = (): Promise<number[]> => serverProcesses(process.pid, 'odd-server');

describe('a server', () => {
  test('that prints what is no message is understood all the same', async () => {
    await using store = await openOddStore(['garbage']);
    expect(text(await store.callTool('odd__get'))).toBe('v0');
  });

  test('without tools is up, and nothing is printed about it', async () => {
    const debug = vi.spyOn(console, 'debug');
    await using store = await openOddStore(['toolless']);
    expect(store.stats().servers[0]).toMatchObject({ status: 'up', tools: 0 });
    expect(debug).not.toHaveBeenCalled();
  });

  test('whose output schema is wrong has its results passed on as they are', async () => {
    await using store = await openOddStore();
    expect(text(await store.callTool('odd__structured'))).toBe('no structure');
  });

  test('that sends a message of 40 MB is answered within its time', async () => {
    await using store = await openOddStore([], { timeout: 10_000 });
    expect(text(await store.callTool('odd__big', { bytes: 40 * 2 ** 20 }))).toHaveLength(40 * 2 ** 20);
  });
});

describe('a call under which the server dies', () => {
  test.each([
    ['odd__die_reading', 2, 'once more if it only reads'],
    ['odd__die_setting', 1, 'once if it may have taken effect'],
  ])('(%s) is made %i times in all: %s', async (tool, times) => {
    const log = join(await mkdtemp(join(tmpdir(), 'perf-odd-')), 'log');
    await using store = await openOddStore();
    await expect(store.callTool(tool, { log })).rejects.toMatchObject({ code: 'PERF_GATEWAY_SERVER_UNAVAILABLE' });
    expect(await readFile(log, 'utf8')).toBe('called\n'.repeat(times));
  });
});

describe('a list of tools', () => {
  test('that changes while it is on its way is asked for again', async () => {
    await using store = await openOddStore(['changing']);
    await vi.waitFor(() => expect(names(store)).toContain('odd__extra_0'), { timeout: 5_000 });
  });

  test('that is said to have changed a thousand times is asked for once', async () => {
    await using store = await openOddStore();
    await store.callTool('odd__flood');
    await vi.waitFor(() => expect(names(store)).toContain('odd__extra_0'), { timeout: 5_000 });
    expect(text(await store.callTool('odd__lists'))).toBe('2');
  });
});

describe('a session', () => {
  test('ends with its server’s output, though the process goes on', async () => {
    await using store = await openOddStore();
    const before = await processes();
    await expect(store.callTool('odd__close_output')).rejects.toMatchObject({
      code: 'PERF_GATEWAY_SERVER_UNAVAILABLE',
    });
    expect(text(await store.callTool('odd__get'))).toBe('v0');
    expect(before.filter(isRunning)).toEqual([]);
  });

  test('with a process that hangs is replaced after the first call that gets no answer', async () => {
    await using store = await openOddStore([], { timeout: 300 });
    const [hung] = await processes();
    process.kill(hung!, 'SIGSTOP');
    await expect(store.callTool('odd__get')).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    await vi.waitFor(() => expect(isRunning(hung!)).toBe(false), { timeout: 15_000 });
    await vi.waitFor(async () => expect(text(await store.callTool('odd__get'))).toBe('v0'), { timeout: 5_000 });
  });

  test('with a process that only takes long is kept', async () => {
    await using store = await openOddStore([], { timeout: 1_000 });
    const before = await processes();
    await expect(store.callTool('odd__never')).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' });
    expect(text(await store.callTool('odd__get'))).toBe('v0');
    expect(await processes()).toEqual(before);
  });
});

describe('the cache', () => {
  test('keeps nothing while a change that was aborted may still be made', async () => {
    await using store = await openOddStore([], { cacheTtl: 60_000 });
    expect(text(await store.callTool('odd__get'))).toBe('v0');
    const leaving = new AbortController();
    const call = store.callTool('odd__set_later', { value: 'v1' }, { signal: leaving.signal });
    await vi.waitFor(() => expect(store.stats().servers[0]?.sessions.busy).toBe(1), { timeout: 5_000 });
    leaving.abort('left');
    await expect(call).rejects.toBe('left');
    expect(text(await store.callTool('odd__get'))).toBe('v0');
    const [server] = await processes();
    process.kill(server!, 'SIGUSR2');
    await vi.waitFor(async () => expect(text(await store.callTool('odd__get'))).toBe('v1'), { timeout: 5_000 });
  });
});

test('the cache counts what an entry takes beside its result', async () => {
  await using store = await openOddStore([], { cacheTtl: 60_000 });
  for (let place = 0; place < 10; place++) await store.callTool('odd__get', { place });
  expect(store.stats().cache.bytes).toBeGreaterThan(5_000);
});

describe('a batch', () => {
  test('takes arguments that are null for none', async () => {
    await using store = await openOddStore();
    const outcomes = await store.batchCall([{ toolName: 'odd__get', arguments: null as unknown as undefined }]);
    expect(outcomes).toMatchObject([{ status: 'fulfilled' }]);
  });
});

describe('closing', () => {
  test('waits a while for a running call, and not for its whole timeout', async () => {
    const store = await openOddStore();
    const call = expect(store.callTool('odd__never')).rejects.toMatchObject({ code: 'PERF_BATCH_CLOSED' });
    await vi.waitFor(() => expect(store.stats().servers[0]?.sessions.busy).toBe(1), { timeout: 5_000 });
    await Promise.all([store.close(), call]);
  }, 15_000);

  test('ends a stubborn server whose launcher was killed before', async () => {
    const { command, args } = oddServer(['stubborn']) as { command: string; args: string[] };
    const line = [command, ...args].map((part) => `'${part}'`).join(' ');
    const store = await openOddStore([], { command: 'sh', args: ['-c', `${line}; true`] });
    const both = await processes();
    expect(both).toHaveLength(2);
    process.kill(Math.min(...both), 'SIGKILL');
    await store.close();
    expect(both.filter(isRunning)).toEqual([]);
  }, 15_000);
});
