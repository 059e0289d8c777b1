import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment } from '@modelcontextprotocol/client/stdio';
import type { HttpServer, ServerConfig, StdioServer } from '../config.ts';
import { resolveCommand } from './command.ts';
import { endTree, snapshotTree } from './process-tree.ts';
import type { CallOptions, Session, ToolCall, ToolDescription, ToolResult } from './session.ts';
import { StderrTail } from './stderr-tail.ts';
import { StdioTransport } from './stdio-transport.ts';

/** A message of up to this many bytes is read; the SDK's own limit of 10 MiB would end the session of a server that sends a large file. */
const MAX_MESSAGE = 64 * 1024 * 1024;

/** Milliseconds a server gets to answer the handshake. */
const HANDSHAKE_TIMEOUT = 30_000;

/**
 * Opens a session with the server: starts its process, or connects to its URL, and shakes hands.
 * @throws Error with one line that says why it did not come up, with the last of what the process wrote to stderr
 */
export function openSession(config: ServerConfig, signal: AbortSignal): Promise<Session> {
  return 'url' in config ? openHttp(config, signal) : openStdio(config, signal);
}

async function openStdio(config: StdioServer, signal: AbortSignal): Promise<Session> {
  const { command, args } = resolveCommand(config);
  const transport = new StdioTransport({
    command,
    args: [...args],
    cwd: config.cwd,
    env: { ...getDefaultEnvironment(), ...config.env },
    stderr: 'pipe',
    maxBufferSize: MAX_MESSAGE,
  });
  const stderr = new StderrTail(transport.stderr);
  const client = newClient('legacy');
  try {
    await client.connect(transport, { signal, timeout: HANDSHAKE_TIMEOUT });
  } catch (error) {
    await closeTree(client, transport.startedPid);
    if (signal.aborted) throw signal.reason;
    throw new Error(describeStartFailure(error as Error, config.command, stderr), { cause: error });
  }
  return new SdkSession(client, transport.startedPid);
}

async function openHttp(config: HttpServer, signal: AbortSignal): Promise<Session> {
  const transport = new StreamableHTTPClientTransport(new URL(config.url), {
    requestInit: { headers: config.headers },
  });
  const client = newClient('auto');
  try {
    await client.connect(transport, { signal, timeout: HANDSHAKE_TIMEOUT });
  } catch (error) {
    await client.close().catch(() => {});
    if (signal.aborted) throw signal.reason;
    const { message, cause } = error as Error;
    const detail = cause instanceof Error ? `${message}: ${cause.message}` : message;
    throw new Error(`${config.url} does not answer as an MCP server (${detail})`, { cause: error });
  }
  return new SdkSession(client, undefined);
}

function newClient(mode: 'legacy' | 'auto'): Client {
  return new Client({ name: 'perf-gateway', version: '0.1.0' }, { versionNegotiation: { mode } });
}

function describeStartFailure(error: Error, command: string, stderr: StderrTail): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no command "${command}" (or its working directory is missing)`;
  if (code === 'EACCES') return `the command "${command}" may not be executed`;
  const said = stderr.lastLine;
  return `"${command}" ended or failed before it answered as an MCP server: ${said ?? error.message}`;
}

/** Closes the client and sees to it that nothing of its process is left: the SDK signals only the process it started, and after a failed start does not wait. */
async function closeTree(client: Client, pid: number | undefined): Promise<void> {
  const tree = pid === undefined ? [] : await snapshotTree(pid);
  await client.close().catch(() => {});
  await endTree(tree);
}

class SdkSession implements Session {
  readonly pid: number | undefined;
  onclose: (() => void) | undefined;
  onerror: ((error: Error) => void) | undefined;
  onToolsChanged: (() => void) | undefined;
  readonly #client: Client;

  constructor(client: Client, pid: number | undefined) {
    this.#client = client;
    this.pid = pid;
    client.onclose = () => this.onclose?.();
    client.onerror = (error) => this.onerror?.(error);
    client.setNotificationHandler('notifications/tools/list_changed', () => this.onToolsChanged?.());
  }

  async listTools({ signal, timeout }: CallOptions): Promise<ToolDescription[]> {
    const { tools } = await this.#client.listTools(undefined, {
      ...(signal && { signal }),
      timeout,
      cacheMode: 'refresh',
    });
    return tools;
  }

  async callTool(call: ToolCall, { signal, timeout }: CallOptions): Promise<ToolResult> {
    const params = { name: call.name, arguments: { ...call.arguments } };
    return this.#client.callTool(params, { ...(signal && { signal }), timeout });
  }

  async ping({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#client.ping(signal && { signal });
  }

  close(): Promise<void> {
    return closeTree(this.#client, this.pid);
  }
}
