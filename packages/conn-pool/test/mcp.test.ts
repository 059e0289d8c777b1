import { createRequire } from 'node:module';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { freePort } from '@perf/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import { type McpClient, type McpPoolOptions, mcpPool } from '../src/mcp.ts';

const EVERYTHING = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');

let pool: ConnectionPool<Client> | undefined;
let pids: number[] = [];

afterEach(async () => {
  await pool?.close({ force: true });
  expect(pids.filter(isRunning)).toEqual([]);
  pool = undefined;
  pids = [];
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function pidOf(client: Client): number {
  return (client.transport as StdioClientTransport).pid as number;
}

function stdioPool(options: Partial<McpPoolOptions<Client>> = {}): ConnectionPool<Client> {
  pool = mcpPool({
    max: 2,
    acquireTimeout: 25_000,
    connect: async ({ signal }) => {
      const client = new Client({ name: 'conn-pool-test', version: '1.0.0' });
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [EVERYTHING, 'stdio'],
        stderr: 'ignore',
      });
      await client.connect(transport, { signal });
      pids.push(transport.pid as number);
      return client;
    },
    ...options,
  });
  return pool;
}

async function echo(client: Client, message: string): Promise<string> {
  const result = await client.callTool({ name: 'echo', arguments: { message } });
  return (result.content as { text: string }[])[0]?.text ?? '';
}

const until = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), { timeout: 20_000, interval: 10 });

describe('mcpPool() over stdio', () => {
  test('shares sessions among more callers than there are servers', async () => {
    const sessions = stdioPool({ min: 1 });
    await sessions.warmUp();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => sessions.use((client) => echo(client, `${i}`))),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => `Echo: ${i}`));
    expect(pids.length).toBeLessThanOrEqual(2);
  });

  test('recovers when a server is killed under load: calls on it fail, the others do not, none stays behind', async () => {
    const sessions = stdioPool({ min: 2 });
    await sessions.warmUp();
    const outcomes = { ok: 0, failed: 0 };
    let stop = false;
    const worker = async (): Promise<void> => {
      while (!stop) {
        await sessions
          .use((client) => echo(client, 'x'))
          .then(
            () => outcomes.ok++,
            () => outcomes.failed++,
          );
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await until(() => outcomes.ok > 20);
    const [victim] = pids;
    process.kill(victim as number, 'SIGKILL');
    await until(() => pids.length === 3);
    const before = outcomes.ok;
    await until(() => outcomes.ok > before + 20 && sessions.stats().size === 2);
    stop = true;
    await Promise.all(workers);
    // One call was on the killed server at most; whoever came later was given a living one.
    expect(outcomes.failed).toBeLessThanOrEqual(1);
    expect(pids.filter(isRunning)).toHaveLength(2);
    await sessions.close();
    expect(pids.filter(isRunning)).toEqual([]);
  });

  test('takes out an idle session whose server exits, and does not lend it', async () => {
    const sessions = stdioPool({ max: 1 });
    const first = await sessions.use((client) => pidOf(client));
    process.kill(first, 'SIGKILL');
    await until(() => sessions.stats().size === 0);
    expect(await sessions.use((client) => echo(client, 'again'))).toBe('Echo: again');
    expect(pids).toHaveLength(2);
  });

  test('replaces a session that does not answer a ping, and ends its process', async () => {
    const sessions = stdioPool({ max: 1, validateAfterIdle: 0, validateTimeout: 200 });
    const first = await sessions.use((client) => pidOf(client));
    process.kill(first, 'SIGSTOP');
    // Its place is free when it is gone, which the SDK brings about in 4 s.
    expect(await sessions.use((client) => echo(client, 'awake'))).toBe('Echo: awake');
    await until(() => !isRunning(first));
  });
});

describe('mcpPool() over HTTP', () => {
  test('replaces a session that the restarted server does not know', async () => {
    const port = await freePort();
    const start = async () => {
      const child = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], {
        env: { ...process.env, PORT: `${port}` },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/mcp`), { timeout: 20_000, interval: 50 });
      return child;
    };
    let child = await start();
    pool = mcpPool({
      max: 1,
      acquireTimeout: 10_000,
      connect: async ({ signal }) => {
        const client = new Client({ name: 'conn-pool-test', version: '1.0.0' });
        await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)), { signal });
        return client;
      },
    });
    const sessions = pool;
    expect(await sessions.use((client) => echo(client, 'one'))).toBe('Echo: one');
    child.kill('SIGKILL');
    await once(child, 'exit');
    child = await start();
    const outcome = await sessions.use((client) => echo(client, 'two')).catch(() => 'failed');
    expect(['failed', 'Echo: two']).toContain(outcome);
    expect(await sessions.use((client) => echo(client, 'three'))).toBe('Echo: three');
    await sessions.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

describe('mcpPool() with any client', () => {
  class FakeClient implements McpClient {
    onclose?: () => void;
    onerror?: (error: Error) => void;
    transport: unknown = {};
    pings = 0;

    async ping(): Promise<void> {
      this.pings++;
    }

    async close(): Promise<void> {
      this.transport = undefined;
      this.onclose?.();
    }
  }

  test('goes on calling the handlers that connect() has set', async () => {
    const onclose = vi.fn();
    const onerror = vi.fn();
    const clients = mcpPool({ max: 1, connect: async () => Object.assign(new FakeClient(), { onclose, onerror }) });
    const client = await clients.use((each) => each);
    client.onerror(new Error('harmless'));
    expect(clients.stats().idle).toBe(1);
    client.onerror(Object.assign(new Error('gone'), { status: 404 }));
    await until(() => clients.stats().size === 0);
    expect(onerror).toHaveBeenCalledTimes(2);
    expect(onclose).toHaveBeenCalledTimes(1);
    await clients.close();
  });

  test('ends the session in the server before it closes the client, whether the server knows it or not, or is silent', async () => {
    for (const answer of [
      () => Promise.resolve(),
      () => Promise.reject(new Error('404')),
      () => new Promise<void>(() => {}),
    ]) {
      const terminateSession = vi.fn(answer);
      const client = Object.assign(new FakeClient(), { transport: { terminateSession } });
      const clients = mcpPool({ max: 1, connect: async () => client });
      await clients.use(() => {});
      await clients.close();
      expect(terminateSession).toHaveBeenCalledTimes(1);
      expect(client.transport).toBe(undefined);
    }
  });

  test('lends a client whose protocol has no ping', async () => {
    const unsupported = Object.assign(new Error('ping'), { code: 'METHOD_NOT_SUPPORTED_BY_PROTOCOL_VERSION' });
    const connect = async () => Object.assign(new FakeClient(), { ping: () => Promise.reject(unsupported) });
    const clients = mcpPool({ max: 1, validateAfterIdle: 0, connect });
    const first = await clients.use((each) => each);
    expect(await clients.use((each) => each)).toBe(first);
    await clients.close();
  });

  test('refuses options that are its own business, and unknown ones', () => {
    const connect = async () => new FakeClient();
    expect(() => mcpPool({ max: 1, connect, validate: () => true } as never)).toThrow(
      'mcpPool has no option `validate`',
    );
    expect(() => mcpPool({ max: 1 } as never)).toThrow('`connect` must be a function, got undefined');
  });

  test('lends nothing that is no client', async () => {
    for (const nothing of [undefined, 5, {}]) {
      const clients = mcpPool({ max: 1, connect: async () => nothing as never, onCreateError: 'reject-head' });
      await expect(clients.acquire()).rejects.toMatchObject({
        cause: { message: '`connect` must give a connected `Client` of the MCP SDK' },
      });
      await clients.close();
    }
  });
});
