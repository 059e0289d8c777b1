import { Client, type Tool, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { getDefaultEnvironment } from '@modelcontextprotocol/client/stdio';
import type { HttpServer, ServerConfig, StdioServer } from '../config.ts';
import { IDENTITY } from '../identity.ts';
import { resolveCommand } from './command.ts';
import type { CallOptions, Session, ToolCall, ToolDescription, ToolResult } from './session.ts';
import { StdioTransport } from './stdio-transport.ts';

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
  const { cwd, env } = config;
  const transport = new StdioTransport({ ...resolveCommand(config), cwd, env: { ...getDefaultEnvironment(), ...env } });
  const client = newClient('legacy');
  try {
    await client.connect(transport, { signal, timeout: HANDSHAKE_TIMEOUT });
  } catch (error) {
    // The client closes it too, but does not wait.
    await transport.close();
    if (signal.aborted) throw signal.reason;
    throw new Error(describeStartFailure(error as Error, config.command, transport.lastError), { cause: error });
  }
  return new SdkSession(client, transport);
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
  return new SdkSession(client, transport);
}

function newClient(mode: 'legacy' | 'auto'): Client {
  return new Client(IDENTITY, { versionNegotiation: { mode } });
}

function describeStartFailure(error: Error, command: string, said: string | undefined): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no command "${command}" (or its working directory is missing)`;
  if (code === 'EACCES') return `the command "${command}" may not be executed`;
  return `"${command}" ended or failed before it answered as an MCP server: ${said ?? error.message}`;
}

class SdkSession implements Session {
  onclose: (() => void) | undefined;
  onerror: ((error: Error) => void) | undefined;
  onToolsChanged: (() => void) | undefined;
  readonly #client: Client;
  readonly #transport: StdioTransport | StreamableHTTPClientTransport;
  #tools: ReadonlyMap<string, Tool> = new Map();

  constructor(client: Client, transport: StdioTransport | StreamableHTTPClientTransport) {
    this.#client = client;
    this.#transport = transport;
    client.onclose = () => this.onclose?.();
    client.onerror = (error) => this.onerror?.(error);
    client.setNotificationHandler('notifications/tools/list_changed', () => this.onToolsChanged?.());
  }

  get pid(): number | undefined {
    return this.#transport instanceof StdioTransport ? this.#transport.pid : undefined;
  }

  async listTools({ signal, timeout }: CallOptions): Promise<ToolDescription[]> {
    // The client would say so on standard output.
    if (this.#client.getServerCapabilities()?.tools === undefined) return [];
    const { tools } = await this.#client.listTools(undefined, {
      ...(signal && { signal }),
      timeout,
      cacheMode: 'refresh',
    });
    // A result is the caller's to check: here a schema that is wrong would make its tool useless.
    this.#tools = new Map(tools.map((tool) => [tool.name, { ...tool, outputSchema: undefined }]));
    return tools;
  }

  async callTool(call: ToolCall, { signal, timeout }: CallOptions): Promise<ToolResult> {
    const params = { name: call.name, arguments: { ...call.arguments } };
    const toolDefinition = this.#tools.get(call.name) ?? { name: call.name, inputSchema: { type: 'object' } };
    return this.#client.callTool(params, { ...(signal && { signal }), timeout, toolDefinition });
  }

  async ping({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#client.ping(signal && { signal });
  }

  async close(): Promise<void> {
    await this.#client.close();
    // A client whose session has ended by itself lets go of its transport, which may still be ending its process.
    await this.#transport.close();
  }
}
