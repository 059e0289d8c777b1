import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ToolStore } from '../src/tool-store.ts';
import { serverProcesses } from './support/children.ts';
import { type TestWorkspace, createWorkspace } from './support/workspace.ts';

const text = (result: unknown): string => JSON.stringify((result as { content: unknown }).content);
const ORDER_BY = { read_file: 'path', write_file: 'path' };

let workspace: TestWorkspace;
let store: ToolStore;

beforeAll(async () => {
  workspace = await createWorkspace();
  const everything = { command: 'npx', args: ['-y', '@modelcontextprotocol/server-everything'] };
  store = await ToolStore.open(workspace.config({ cacheTtl: 60_000, orderBy: ORDER_BY }, { everything }));
});

afterAll(async () => {
  await store.close();
  await workspace[Symbol.asyncDispose]();
});

describe('the tools of real servers', () => {
  test('are listed under namespaced names, with their own descriptions', () => {
    const tools = store.listTools();
    const names = tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['files__read_file', 'files__write_file', 'everything__echo']));
    expect(new Set(names).size).toBe(names.length);
    expect(tools.find(({ name }) => name === 'files__read_file')).toMatchObject({
      inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
      annotations: { readOnlyHint: true },
    });
  });

  test('are called on their server', async () => {
    expect(text(await store.callTool('files__read_file', { path: workspace.path('hello.txt') }))).toContain('hello');
    expect(text(await store.callTool('everything__echo', { message: 'hi there' }))).toContain('hi there');
  });

  test('answer with isError where they fail; an unknown one rejects', async () => {
    expect(await store.callTool('files__read_file', { path: workspace.path('none.txt') })).toMatchObject({
      isError: true,
    });
    expect(await store.callTool('files__read_file', { path: '/etc/passwd' })).toMatchObject({ isError: true });
    await expect(store.callTool('files__nothing')).rejects.toMatchObject({ code: 'PERF_GATEWAY_UNKNOWN_TOOL' });
    await expect(store.callTool('read_file')).rejects.toMatchObject({ code: 'PERF_GATEWAY_UNKNOWN_TOOL' });
  });
});

describe('the cache', () => {
  test('answers an equal call, whatever the order of the arguments, without asking the server', async () => {
    const path = workspace.path('cached.txt');
    await writeFile(path, 'first');
    expect(text(await store.callTool('files__read_text_file', { path, head: 1 }))).toContain('first');
    // Changed behind the gateway's back: only a call that reaches the server can tell.
    await writeFile(path, 'second');
    expect(text(await store.callTool('files__read_text_file', { head: 1, path }))).toContain('first');
    expect(text(await store.callTool('files__read_text_file', { path, head: 2 }))).toContain('second');
  });

  test('hands out results that a caller may change', async () => {
    const path = workspace.path('hello.txt');
    const first = (await store.callTool('files__read_file', { path })) as { content: unknown[] };
    first.content.length = 0;
    expect(text(await store.callTool('files__read_file', { path }))).toContain('hello');
  });

  test('keeps no error', async () => {
    const path = workspace.path('late.txt');
    expect(await store.callTool('files__read_file', { path })).toMatchObject({ isError: true });
    await writeFile(path, 'there now');
    expect(text(await store.callTool('files__read_file', { path }))).toContain('there now');
  });

  test('never serves what a write that has returned has replaced, with readers beside it', async () => {
    const path = workspace.path('race.txt');
    await store.callTool('files__write_file', { path, content: 'version 0' });
    let written = 0;
    let reading = true;
    const reader = async (): Promise<void> => {
      while (reading) {
        const before = written;
        const [, seen] = /version (\d+)/.exec(text(await store.callTool('files__read_file', { path }))) ?? [];
        expect(Number(seen)).toBeGreaterThanOrEqual(before);
        // A hit settles within the turn: without this the readers would never let the writer's answer in.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const readers = Array.from({ length: 16 }, reader);
    for (let version = 1; version <= 60; version++) {
      await store.callTool('files__write_file', { path, content: `version ${version}` });
      written = version;
    }
    reading = false;
    await Promise.all(readers);
  });

  test('makes one call for callers that ask at once; one that leaves takes nobody with it', async () => {
    const path = workspace.path('notes');
    const before = store.stats().servers[0]!.batches.sent;
    const leaving = new AbortController();
    const calls = Array.from({ length: 64 }, (_, index) =>
      store.callTool('files__list_directory', { path }, index === 0 ? { signal: leaving.signal } : {}),
    );
    leaving.abort(new Error('left'));
    await expect(calls[0]).rejects.toThrow('left');
    const results = await Promise.all(calls.slice(1));
    expect(new Set(results.map(text)).size).toBe(1);
    expect(store.stats().servers[0]!.batches.sent).toBe(before + 1);
  });
});

describe('batchCall', () => {
  test('answers call i at place i: fast, slow, failing and unknown ones over two servers', async () => {
    const calls = Array.from({ length: 120 }, (_, index) => {
      if (index % 4 === 0) return { toolName: 'everything__echo', arguments: { message: `message ${index}` } };
      if (index % 4 === 1)
        return { toolName: 'files__read_file', arguments: { path: workspace.path(`none-${index}`) } };
      if (index % 4 === 2) return { toolName: 'nowhere__at_all' };
      return { toolName: 'everything__get-sum', arguments: { a: index, b: 1 } };
    });
    const outcomes = await store.batchCall(calls);
    expect(outcomes).toHaveLength(calls.length);
    for (const [index, outcome] of outcomes.entries()) {
      if (index % 4 === 2) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'PERF_GATEWAY_UNKNOWN_TOOL' } });
        continue;
      }
      expect(outcome.status).toBe('fulfilled');
      const value = (outcome as PromiseFulfilledResult<unknown>).value;
      if (index % 4 === 0) expect(text(value)).toContain(`message ${index}"`);
      if (index % 4 === 1) expect(value).toMatchObject({ isError: true });
      if (index % 4 === 3) expect(text(value)).toContain(String(index + 1));
    }
  });

  test('keeps the order of one file’s writes and reads', async () => {
    const calls = Array.from({ length: 10 }, (_, file) => {
      const path = workspace.path(`order-${file}.txt`);
      return [1, 2, 3].flatMap((version) => [
        { toolName: 'files__write_file', arguments: { path, content: `file ${file} version ${version}` } },
        { toolName: 'files__read_file', arguments: { path } },
      ]);
    }).flat();
    const outcomes = await store.batchCall(calls);
    for (const [index, outcome] of outcomes.entries()) {
      expect(outcome.status).toBe('fulfilled');
      if (index % 2 === 0) continue;
      const expected = `file ${Math.floor(index / 6)} version ${((index % 6) + 1) / 2}`;
      expect(text((outcome as PromiseFulfilledResult<unknown>).value)).toContain(expected);
    }
  });

  test('lets a tool that may touch anything wait for what was written before it', async () => {
    const path = workspace.path('listed.txt');
    const outcomes = await store.batchCall([
      { toolName: 'files__write_file', arguments: { path, content: 'x' } },
      { toolName: 'files__list_directory', arguments: { path: workspace.path() } },
    ]);
    expect(text((outcomes[1] as PromiseFulfilledResult<unknown>).value)).toContain('listed.txt');
  });

  test('of nothing answers nothing', async () => {
    expect(await store.batchCall([])).toEqual([]);
  });
});

describe('abort', () => {
  test('ends the wait at once, with the reason, and the store works on', async () => {
    const controller = new AbortController();
    const call = store.callTool(
      'everything__trigger-long-running-operation',
      { duration: 30, steps: 2 },
      { signal: controller.signal },
    );
    await vi.waitFor(() => expect(store.stats().servers[1]!.sessions.busy).toBe(1), { timeout: 10_000 });
    controller.abort('enough');
    await expect(call).rejects.toBe('enough');
    expect(text(await store.callTool('everything__echo', { message: 'still here' }))).toContain('still here');
    await vi.waitFor(() => expect(store.stats().servers[1]!.sessions.busy).toBe(0), { timeout: 10_000 });
    await expect(store.callTool('everything__echo', {}, { signal: AbortSignal.abort('before') })).rejects.toBe(
      'before',
    );
  });
});

describe('a server that is killed', () => {
  test('under load is replaced, and loses no read', async () => {
    const own = await createWorkspace();
    const mine = await ToolStore.open(own.config({ minSessions: 1, maxSessions: 2 }));
    try {
      const [victim] = await serverProcesses(process.pid, own.path());
      const reads = Array.from({ length: 50 }, () =>
        mine.callTool('files__read_file', { path: own.path('hello.txt') }),
      );
      process.kill(victim!, 'SIGKILL');
      for (const result of await Promise.all(reads)) expect(text(result)).toContain('hello');
      await vi.waitFor(
        async () =>
          expect(text(await mine.callTool('files__read_file', { path: own.path('hello.txt') }))).toContain('hello'),
        { timeout: 10_000 },
      );
      expect((await serverProcesses(process.pid, own.path())).length).toBeLessThanOrEqual(2);
    } finally {
      await mine.close();
      expect(await serverProcesses(process.pid, own.path())).toEqual([]);
      await own[Symbol.asyncDispose]();
    }
  });
});

describe('servers that do not come up', () => {
  test('are reported, each in a line, while the others serve', async () => {
    const own = await createWorkspace();
    const lines: string[] = [];
    const config = own.config(
      {},
      {
        missing: { command: 'no-such-command-anywhere' },
        dying: { command: process.execPath, args: ['-e', 'console.error("Error: no licence"); process.exit(3)'] },
        mute: { url: 'http://127.0.0.1:9/mcp' },
      },
    );
    const mine = await ToolStore.open(config, {
      onStatus: (server, status, reason) => lines.push(`${server} ${status} ${reason}`),
    });
    try {
      expect(Object.fromEntries(mine.stats().servers.map(({ name, status }) => [name, status]))).toEqual({
        files: 'up',
        missing: 'down',
        dying: 'down',
        mute: 'down',
      });
      expect(lines.find((line) => line.startsWith('missing'))).toMatch(
        /^missing down there is no command "no-such-command-anywhere"[^\n]*$/,
      );
      expect(lines.find((line) => line.startsWith('dying'))).toMatch(/^dying down [^\n]*no licence$/);
      expect(lines.find((line) => line.startsWith('mute'))).toMatch(
        /^mute down http:\/\/127\.0\.0\.1:9\/mcp does not answer[^\n]*$/,
      );
      expect(text(await mine.callTool('files__read_file', { path: own.path('hello.txt') }))).toContain('hello');
    } finally {
      await mine.close();
      await own[Symbol.asyncDispose]();
    }
  });
});

test('a closed store refuses calls, and closing twice is fine', async () => {
  const own = await createWorkspace();
  const mine = await ToolStore.open(own.config());
  await Promise.all([mine.close(), mine.close()]);
  await expect(mine.callTool('files__read_file', { path: own.path('hello.txt') })).rejects.toThrow(/closed/);
  await own[Symbol.asyncDispose]();
});

test('a server whose sessions are all taken is reported as such, and the call as not made', async () => {
  const own = await createWorkspace();
  const everything = { command: 'npx', args: ['-y', '@modelcontextprotocol/server-everything'], maxSessions: 1 };
  const mine = await ToolStore.open(own.config({}, { everything }));
  const busy = (): number => mine.stats().servers[1]!.sessions.busy;
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const controller = new AbortController();
    const long = mine.callTool(
      'everything__trigger-long-running-operation',
      { duration: 50 },
      { signal: controller.signal },
    );
    while (busy() === 0) await turn();
    const waiting = expect(mine.callTool('everything__echo', { message: 'x' })).rejects.toMatchObject({
      code: 'PERF_GATEWAY_SERVER_UNAVAILABLE',
      cause: { code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' },
    });
    while (mine.stats().servers[1]!.sessions.waiting === 0) await turn();
    await vi.advanceTimersByTimeAsync(10_000);
    await waiting;
    controller.abort('done');
    await expect(long).rejects.toBe('done');
  } finally {
    vi.useRealTimers();
    await mine.close();
    await own[Symbol.asyncDispose]();
  }
});
