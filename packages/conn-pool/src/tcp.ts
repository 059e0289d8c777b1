import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { checkBoolean, checkName, checkOptions, checkPositiveInteger, checkRange } from '@perf/core';
import { ConnectionPool } from './connection-pool.ts';
import { type ConnectionPoolOptions, type CreateContext, OPTION_NAMES } from './options.ts';

/** Options of {@link tcpPool}: where to connect to, and those of {@link ConnectionPool} but for the callbacks that the adapter is. */
export interface TcpPoolOptions extends Omit<
  ConnectionPoolOptions<Socket>,
  'create' | 'destroy' | 'validate' | 'reset'
> {
  /** @default 'localhost' */
  readonly host?: string | undefined;
  /** Required unless `path` is given. */
  readonly port?: number | undefined;
  /** A Unix socket or Windows pipe, instead of host and port. */
  readonly path?: string | undefined;
  /** Whether to speak TLS, and how: the options of `tls.connect()`. The server name is `host` unless you give one. @default false */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Whether small writes leave at once (`TCP_NODELAY`). @default true */
  readonly noDelay?: boolean | undefined;
  /** Whether the operating system probes idle connections. @default true */
  readonly keepAlive?: boolean | undefined;
}

const OWN_OPTIONS: readonly string[] = ['host', 'port', 'path', 'tls', 'noDelay', 'keepAlive'];
const OWN_CALLBACKS: readonly string[] = ['create', 'destroy', 'validate', 'reset'];

/** What the adapter knows of a socket that is not lent. */
interface Parked {
  /** How many bytes it had received when it was given back. */
  readonly bytesRead: number;
}

/**
 * A pool of connected sockets. A socket that closes, fails, or receives bytes while it is not lent is not lent again: bytes nobody asked for
 * mean that the two sides no longer agree on whose turn it is. Whoever gives a socket back has read every answer to the end; listeners for
 * `data` and `readable` are taken off, other listeners and `setTimeout()` are the caller's to take back, and a socket with `setEncoding()` is not used again.
 *
 * The name of the pool is `host:port` (or `path`) unless one is given; its metrics are named `perf.conn_pool.*`.
 *
 * @throws RangeError, TypeError naming the option and its value
 */
export function tcpPool(options: TcpPoolOptions): ConnectionPool<Socket> {
  checkOptions('tcpPool', options, [...OWN_OPTIONS, ...OPTION_NAMES.filter((each) => !OWN_CALLBACKS.includes(each))]);
  checkTarget(options);
  const { host = 'localhost', port, path, tls = false, noDelay = true, keepAlive = true, ...rest } = options;
  // Looking at a few flags is cheaper than asking how old the last look is.
  const { name = path ?? `${host}:${port}`, metricPrefix = 'perf.conn_pool', validateAfterIdle = 0, ...pool } = rest;
  checkBoolean('noDelay', noDelay);
  checkBoolean('keepAlive', keepAlive);
  const parked = new WeakMap<Socket, Parked>();
  const open = opener(options);
  return new ConnectionPool<Socket>({
    ...pool,
    name,
    metricPrefix,
    validateAfterIdle,
    create: async (ctx) => {
      const socket = await connected(open(), tls === false ? 'connect' : 'secureConnect', ctx);
      parked.set(socket, park(socket));
      return socket;
    },
    destroy: (socket) => destroyed(socket),
    validate: (socket) => isQuiet(socket, parked.get(socket)),
    reset: (socket) => {
      socket.removeAllListeners('data');
      socket.removeAllListeners('readable');
      if (!isQuiet(socket, undefined)) throw new Error('the socket was given back closed, paused, or with unread data');
      if (socket.readableEncoding !== null)
        throw new Error('the socket was given an encoding, which cannot be taken back');
      parked.set(socket, park(socket));
    },
  });
}

/** @throws RangeError, TypeError naming the option and its value */
function checkTarget({ host = 'localhost', port, path, tls = false }: TcpPoolOptions): void {
  checkName('host', host);
  if (path === undefined) checkRange('port', checkPositiveInteger('port', port), { min: 1, max: 65_535 });
  else checkName('path', path);
  if (typeof tls !== 'object' || tls === null) checkBoolean('tls', tls);
}

/** How to begin one more connection. */
function opener({
  host = 'localhost',
  port = 0,
  path,
  tls = false,
  noDelay = true,
  keepAlive = true,
}: TcpPoolOptions): () => Socket {
  const address = path === undefined ? { host, port } : { path };
  if (tls === false) return () => connectTcp({ ...address, noDelay, keepAlive });
  // The host's name is sent to the server; an address must not be.
  const named = path === undefined && isIP(host) === 0 ? { servername: host } : {};
  const security = tls === true ? {} : tls;
  return () => {
    const socket = connectTls({ ...named, ...security, ...address });
    return socket.setNoDelay(noDelay).setKeepAlive(keepAlive);
  };
}

function park(socket: Socket): Parked {
  return { bytesRead: socket.bytesRead };
}

/** Whether both directions are open and nothing has come that nobody read. */
function isQuiet(socket: Socket, since: Parked | undefined): boolean {
  if (socket.destroyed || !socket.readable || !socket.writable || socket.isPaused() || socket.readableLength > 0)
    return false;
  // A socket that flows without a listener drops what it receives; its byte count tells. Not so for TLS, where tickets and
  // key updates come at any time.
  return since === undefined || 'encrypted' in socket || socket.bytesRead === since.bytesRead;
}

function connected(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  { signal, lost }: CreateContext,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const onAbort = (): void => {
      failure = signal.reason;
      socket.destroy();
    };
    // Stays for the socket's whole life: an error of an idle socket must have a listener.
    socket.on('error', (error) => {
      failure ??= error;
    });
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      reject(failure ?? new Error('the connection was closed before it was established'));
      lost(failure ?? new Error('the peer closed the connection'));
    });
    socket.once(event, () => {
      signal.removeEventListener('abort', onAbort);
      resolve(socket);
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function destroyed(socket: Socket): Promise<void> | undefined {
  if (socket.closed) return undefined;
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
