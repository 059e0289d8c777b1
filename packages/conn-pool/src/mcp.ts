import { checkFunction, checkOptions, deadline } from '@perf/core';
import { ConnectionPool } from './connection-pool.ts';
import { isMcpConnectionLost, isMcpPingUnsupported } from './mcp-errors.ts';
import { type ConnectionPoolOptions, type CreateContext, OPTION_NAMES } from './options.ts';

export { isMcpConnectionLost } from './mcp-errors.ts';

/**
 * What the pool uses of an MCP client: `Client` of `@modelcontextprotocol/client` 2 and of `@modelcontextprotocol/sdk` 1 have it.
 * `onclose` and `onerror` are chained: handlers set before `connect` returns go on working, those set later would replace the pool's.
 */
export interface McpClient {
  ping(options?: { signal?: AbortSignal }): Promise<unknown>;
  close(): Promise<void>;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  /** `undefined` once it is closed, in clients that have it. */
  readonly transport?: unknown;
}

/** Options of {@link mcpPool}: how to connect, and those of {@link ConnectionPool} but for the callbacks that the adapter is. */
export interface McpPoolOptions<C extends McpClient> extends Omit<
  ConnectionPoolOptions<C>,
  'create' | 'destroy' | 'validate' | 'isFatal'
> {
  /**
   * Makes a connected client, with a transport of its own. Pass `signal` to the client's `connect()`: it aborts when `createTimeout` ran
   * out or the pool closes.
   */
  readonly connect: (ctx: Pick<CreateContext, 'signal'>) => Promise<C>;
}

/** The callbacks that the adapter is. */
const OWN: readonly string[] = ['create', 'destroy', 'validate', 'isFatal'];

/**
 * A pool of MCP sessions: server processes over stdio, or sessions over HTTP. A session is lent to one caller at a time, or, since it can
 * carry many calls at once, to `maxLeasesPerConnection`.
 *
 * A session is dead, and replaced, when its server process exits or its transport closes (`onclose`), when the server answers 404 or 410 or
 * says that it does not know the session, and when `ping` fails or is silent. A call that fails that way rejects for its caller all the same:
 * whether it may be repeated only the caller knows. Of a session that several callers have, each hears of it; it is replaced once.
 *
 * Defaults that differ from `ConnectionPool`: `createTimeout` 30_000 and `destroyTimeout` 10_000 (a server process is given 4 s to end by the
 * SDK), `maxConcurrentCreates` 2, `validateAfterIdle` 5_000, `name` 'mcp', `metricPrefix` 'perf.conn_pool',
 * `durationMetric` 'mcp.client.session.duration'.
 *
 * @throws RangeError, TypeError naming the option and its value
 */
export function mcpPool<C extends McpClient>(options: McpPoolOptions<C>): ConnectionPool<C> {
  checkOptions('mcpPool', options, ['connect', ...OPTION_NAMES.filter((name) => !OWN.includes(name))]);
  const {
    connect,
    name = 'mcp',
    metricPrefix = 'perf.conn_pool',
    durationMetric = 'mcp.client.session.duration',
    createTimeout = 30_000,
    destroyTimeout = 10_000,
    maxConcurrentCreates = 2,
    validateAfterIdle = 5_000,
    ...rest
  } = options;
  checkFunction('connect', connect);
  return new ConnectionPool<C>({
    ...rest,
    name,
    metricPrefix,
    durationMetric,
    createTimeout,
    destroyTimeout,
    maxConcurrentCreates,
    validateAfterIdle,
    create: async ({ signal, lost }) => {
      const client = await connect({ signal });
      checkClient(client);
      watch(client, lost);
      return client;
    },
    destroy: async (client) => {
      await endSession(client);
      await client.close();
    },
    validate: (client, { signal }) => !isClosed(client) && answers(client, signal),
    isFatal: isMcpConnectionLost,
  });
}

/** @throws TypeError for what is no client */
function checkClient(client: unknown): void {
  const { ping, close } = (client ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof ping !== 'function' || typeof close !== 'function') {
    throw new TypeError('`connect` must give a connected `Client` of the MCP SDK');
  }
}

function watch(client: McpClient, lost: CreateContext['lost']): void {
  const { onclose, onerror } = client;
  client.onclose = () => {
    lost(new Error('the MCP connection was closed'));
    onclose?.call(client);
  };
  client.onerror = (error) => {
    // Errors given to `onerror` need not be fatal, but a dead HTTP session is told of nowhere else.
    if (isMcpConnectionLost(error)) lost(error);
    onerror?.call(client, error);
  };
  if (isClosed(client)) lost(new Error('the MCP connection was closed while it was made'));
}

/** How long a server may take to end its session, in milliseconds. */
const SESSION_END = 1_000;

/** `close()` of a client over HTTP leaves the session in its server, until that forgets it: the protocol wants it ended. */
async function endSession({ transport }: McpClient): Promise<void> {
  const session = transport as { terminateSession?(): Promise<void> } | null | undefined;
  if (typeof session?.terminateSession !== 'function') return;
  const ended = deadline(() => session.terminateSession?.(), { timeout: SESSION_END, unref: true });
  // It is gone already, or will be forgotten.
  await ended.catch(() => {});
}

function isClosed(client: McpClient): boolean {
  return 'transport' in client && client.transport === undefined;
}

async function answers(client: McpClient, signal: AbortSignal): Promise<boolean> {
  try {
    await client.ping({ signal });
  } catch (error) {
    // Revision 2026-07-28 has neither sessions nor ping: there is nothing that could be dead but the transport.
    if (!isMcpPingUnsupported(error)) throw error;
  }
  return true;
}
