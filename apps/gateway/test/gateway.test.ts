import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseConfig } from '../src/config.ts';
import { Gateway } from '../src/gateway.ts';
import { oddServer } from './support/odd-store.ts';
import { type TestWorkspace, createWorkspace } from './support/workspace.ts';

const require = createRequire(import.meta.url);
let workspace: TestWorkspace;
let gateway: Gateway;

beforeAll(async () => {
  workspace = await createWorkspace();
  const everything = { command: 'npx', args: ['-y', '@modelcontextprotocol/server-everything'] };
  gateway = await Gateway.start(workspace.config({ cacheTtl: 60_000 }, { everything }), { port: 0 });
});

afterAll(async () => {
  await gateway.close();
  await workspace[Symbol.asyncDispose]();
});

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${gateway.url}${path}`, { headers });

function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Lists the tools, then reads, lists and writes; what any MCP client would do. */
async function exercise(
  client: Pick<ModernClient, 'listTools' | 'callTool'> | Pick<Client, 'listTools' | 'callTool'>,
): Promise<void> {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['files__read_file', 'files__list_directory', 'files__write_file']),
  );
  const call = (tool: string, args: Record<string, unknown>): Promise<unknown> =>
    client.callTool({ name: tool, arguments: args });
  expect(JSON.stringify(await call('files__read_file', { path: workspace.path('hello.txt') }))).toContain('hello');
  expect(JSON.stringify(await call('files__list_directory', { path: workspace.path() }))).toContain('[FILE] hello.txt');
  const path = workspace.path('written.txt');
  await call('files__write_file', { path, content: 'by a client' });
  expect(JSON.stringify(await call('files__read_file', { path }))).toContain('by a client');
  await expect(call('files__nothing', {})).rejects.toThrow(/there is no tool "files__nothing"/);
}

describe('an MCP client', () => {
  test('of the official SDK 1 (revisions of 2025) works', async () => {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
    await exercise(client);
    await client.close();
  });

  test.each([['auto'], ['legacy'], [{ pin: '2026-07-28' }]] as const)(
    'of the official SDK 2 works (negotiation: %o)',
    async (mode) => {
      const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(new ModernTransport(new URL(`${gateway.url}/mcp`)));
      await exercise(client);
      await client.close();
    },
  );

  test('the inspector’s command line works', async () => {
    const inspector = join(
      require.resolve('@modelcontextprotocol/inspector/package.json'),
      '..',
      'clients',
      'launcher',
      'build',
      'index.js',
    );
    const run = async (...args: string[]): Promise<string> => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        inspector,
        '--cli',
        `${gateway.url}/mcp`,
        '--transport',
        'http',
        ...args,
      ]);
      return stdout;
    };
    expect(await run('--method', 'tools/list')).toContain('files__list_directory');
    const call = (tool: string, ...args: string[]): Promise<string> =>
      run('--method', 'tools/call', '--tool-name', tool, ...args.flatMap((arg) => ['--tool-arg', arg]));
    expect(await call('files__read_file', `path=${workspace.path('hello.txt')}`)).toContain('hello');
    expect(await call('files__list_directory', `path=${workspace.path()}`)).toContain('hello.txt');
    expect(await call('files__write_file', `path=${workspace.path('inspected.txt')}`, 'content=inspected')).toContain(
      'Successfully wrote',
    );
  });
});

describe('the endpoint', () => {
  test('answers the snippet of the README: one POST, no handshake', async () => {
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'everything__echo', arguments: { message: 'hi' } },
    };
    const response = await post(call);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('hi');
  });

  test.each([
    ['{', 400],
    ['[]', 400],
    ['"text"', 400],
  ])('refuses %s', async (body, status) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain('"error"');
  });

  test('refuses pages of other origins and other host names', async () => {
    expect((await post({}, { origin: 'https://example.com' })).status).toBe(403);
    expect((await get('/stats', { origin: 'http://evil.test' })).status).toBe(403);
    expect((await get('/', { origin: 'http://localhost:3000' })).status).toBe(200);
  });
});

describe('the other routes', () => {
  test('/healthz and /readyz tell', async () => {
    expect(await (await get('/healthz')).json()).toEqual({ status: 'ok' });
    const ready = await get('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      ready: true,
      servers: { files: { status: 'up' }, everything: { status: 'up' } },
    });
  });

  test('/metrics has the numbers of every package at work, for Prometheus', async () => {
    await gateway.store.callTool('files__read_file', { path: workspace.path('hello.txt') });
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toMatch(/mcp_server_operation_duration_bucket\{.*gen_ai_tool_name="files__read_file"/);
    for (const part of ['perf_cache', 'perf_batch', 'perf_conn_pool', 'perf_memory', 'perf_profiler', 'perf_pool'])
      expect(metrics).toContain(part);
  });

  test('/ is the live page, /stats its numbers', async () => {
    expect(await (await get('/')).text()).toContain('<title>perf gateway</title>');
    expect(await (await get('/stats')).json()).toMatchObject({
      calls: { total: expect.any(Number) as number },
      servers: [{ name: 'files', status: 'up' }, { name: 'everything' }],
    });
  });

  test('/flame draws a flame graph of the process, and refuses a silly time', async () => {
    const page = await get('/flame?seconds=0.2');
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('perf gateway');
    for (const seconds of ['0', '-1', 'x', '31']) expect((await get(`/flame?seconds=${seconds}`)).status).toBe(400);
  });

  test('what there is not is a 404', async () => {
    expect((await get('/nothing')).status).toBe(404);
  });
});

test('a request that comes while the servers are starting is told so', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const late = parseConfig(JSON.stringify({ mcpServers: { odd: oddServer(['late']) } }), '/mcp.json');
  const starting = Gateway.start(late, { port });
  const early = await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/readyz`));
  expect(early.status).toBe(503);
  await using started = await starting;
  expect((await fetch(`${started.url}/readyz`)).status).toBe(200);
});

test('a port in use is one clear line, and nothing is left running', async () => {
  const { port } = new URL(gateway.url);
  await expect(Gateway.start(workspace.config(), { port: Number(port) })).rejects.toThrow(
    `port ${port} of 127.0.0.1 is in use; choose another one with --port`,
  );
});
