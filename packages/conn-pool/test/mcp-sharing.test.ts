import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioClientTransport1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as StreamableHTTPClientTransport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { freePort } from '@perf/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import { type McpClient, mcpPool } from '../src/mcp.ts';

const EVERYTHING = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
const IDENTITY = { name: 'conn-pool-test', version: '1.0.0' };

/** What the clients of both generations of the SDK have. */
interface AnyClient extends McpClient {
  connect(transport: unknown, options?: { signal?: AbortSignal }): Promise<void>;
  callTool(request: { name: string; arguments: object }): Promise<{ content?: unknown }>;
}

interface Sdk {
  client(): AnyClient;
  stdio(command: string, args: string[]): { readonly pid: number | null };
  http(url: URL): unknown;
}

const SDK2: Sdk = {
  client: () => new Client(IDENTITY) as unknown as AnyClient,
  stdio: (command, args) => new StdioClientTransport({ command, args, stderr: 'ignore' }),
  http: (url) => new StreamableHTTPClientTransport(url),
};
const SDK1: Sdk = {
  client: () => new Client1(IDENTITY) as unknown as AnyClient,
  stdio: (command, args) => new StdioClientTransport1({ command, args, stderr: 'ignore' }),
  http: (url) => new StreamableHTTPClientTransport1(url),
};

let pool: ConnectionPool<AnyClient> | undefined;
let server: ChildProcess | undefined;
afterEach(async () => {
  await pool?.close({ force: true });
  server?.kill('SIGKILL');
});

const until = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), { timeout: 20_000, interval: 10 });

async function echo(client: AnyClient, message: string): Promise<string> {
  const { content } = await client.callTool({ name: 'echo', arguments: { message } });
  return (content as { text: string }[])[0]?.text ?? '';
}

async function startHttp(port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], {
    env: { ...process.env, PORT: `${port}` },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/mcp`), { timeout: 20_000, interval: 50 });
  return child;
}

describe.each<[string, Sdk]>([
  ['SDK 2', SDK2],
  ['SDK 1', SDK1],
])('one session for several callers, %s', (_, sdk) => {
  test('serves calls at the same time on one server process, and is replaced once when that is killed', async () => {
    const pids: number[] = [];
    pool = mcpPool<AnyClient>({
      max: 1,
      maxLeasesPerConnection: 8,
      acquireTimeout: 25_000,
      connect: async ({ signal }) => {
        const client = sdk.client();
        const transport = sdk.stdio(process.execPath, [EVERYTHING, 'stdio']);
        await client.connect(transport, { signal });
        pids.push(transport.pid as number);
        return client;
      },
    });
    const sessions = pool;
    const leases = await Promise.all(Array.from({ length: 8 }, () => sessions.acquire()));
    expect(new Set(leases.map(({ connection }) => connection)).size).toBe(1);
    const answers = await Promise.all(leases.map(({ connection }, i) => echo(connection, `${i}`)));
    expect(answers).toEqual(leases.map((__, i) => `Echo: ${i}`));
    for (const lease of leases) lease.release();
    const slow = Array.from({ length: 8 }, () =>
      sessions.use((client) =>
        client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 1 } }),
      ),
    );
    await until(() => sessions.stats().leases === 8);
    process.kill(pids[0] as number, 'SIGKILL');
    for (const outcome of await Promise.allSettled(slow)) expect(outcome.status).toBe('rejected');
    const again = await Promise.all(
      Array.from({ length: 8 }, (__, i) => sessions.use((client) => echo(client, `${i}`))),
    );
    expect(again).toHaveLength(8);
    expect(pids).toHaveLength(2);
  });

  test('is replaced once when all of its callers hear that the restarted server does not know it', async () => {
    const port = await freePort();
    server = await startHttp(port);
    let connected = 0;
    pool = mcpPool<AnyClient>({
      max: 1,
      maxLeasesPerConnection: 8,
      acquireTimeout: 20_000,
      connect: async ({ signal }) => {
        const client = sdk.client();
        await client.connect(sdk.http(new URL(`http://127.0.0.1:${port}/mcp`)), { signal });
        connected++;
        return client;
      },
    });
    const sessions = pool;
    expect(await sessions.use((client) => echo(client, 'one'))).toBe('Echo: one');
    server.kill('SIGKILL');
    await once(server, 'exit');
    server = await startHttp(port);
    const first = await Promise.allSettled(
      Array.from({ length: 8 }, (__, i) => sessions.use((client) => echo(client, `${i}`))),
    );
    expect(first.length).toBe(8);
    const again = await Promise.all(
      Array.from({ length: 8 }, (__, i) => sessions.use((client) => echo(client, `${i}`))),
    );
    expect(again).toEqual(again.map((__, i) => `Echo: ${i}`));
    expect(connected).toBe(2);
  });
});

test('a process that has closed its pool ends by itself', async () => {
  const code = `import { mcpPool } from '@perf/conn-pool/mcp'; import { Client } from '@modelcontextprotocol/client';
    import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
    const pool = mcpPool({ max: 1, connect: async ({ signal }) => {
      const client = new Client({ name: 'a', version: '1' });
      const args = [${JSON.stringify(EVERYTHING)}, 'stdio'];
      await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }), { signal });
      return client;
    } });
    await pool.use((client) => client.ping()); await pool.close();`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const child = execFile(process.execPath, ['--input-type=module', '-e', code], { cwd, timeout: 40_000 });
  expect(await once(child, 'exit')).toEqual([0, null]);
});
