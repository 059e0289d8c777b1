import type { LookupFunction, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { checkBoolean, checkFunction, checkName, checkOptions, checkPositiveInteger, checkRange } from '@perf/core';
import { ConnectionPool } from './connection-pool.ts';
import { KeptListeners } from './kept-listeners.ts';
import { type ConnectionPoolOptions, OPTION_NAMES } from './options.ts';
import { destroyed, opener } from './tcp-sockets.ts';

/** Options of {@link tcpPool}: where to connect to, and those of {@link ConnectionPool} but for the callbacks that the adapter is. */
export interface TcpPoolOptions extends Omit<
  ConnectionPoolOptions<Socket>,
  'create' | 'destroy' | 'reset' | 'maxLeasesPerConnection'
> {
  /** @default 'localhost' */
  readonly host?: string | undefined;
  /** Required unless `path` is given. */
  readonly port?: number | undefined;
  /** A Unix socket or Windows pipe, instead of host and port. */
  readonly path?: string | undefined;
  /**
   * Whether to speak TLS, and how: the options of `tls.connect()`. The server name is `host` unless you give one; sessions are resumed, which
   * saves connections after the first a part of the handshake. @default false
   */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Finds the addresses of `host`, of which the first to answer is taken, as that of `net.connect()`. @default `dns.lookup()` */
  readonly lookup?: LookupFunction | undefined;
  /** Whether small writes leave at once (`TCP_NODELAY`). @default true */
  readonly noDelay?: boolean | undefined;
  /** Whether the operating system probes connections on which nothing happens, and so finds out that the peer's machine is gone. @default true */
  readonly keepAlive?: boolean | undefined;
  /** How long nothing must have happened, in milliseconds, before it begins to. @default 60_000 */
  readonly keepAliveDelay?: number | undefined;
  /**
   * Asks in your protocol whether the peer still answers, when a socket was idle for `validateAfterIdle`, and at `keepaliveInterval`. It has read the
   * answer to the end when it settles.
   */
  readonly validate?: ConnectionPoolOptions<Socket>['validate'];
  /** @default 0, which costs a look at a few flags; 500 with `validate` */
  readonly validateAfterIdle?: number | undefined;
}

const OWN_OPTIONS: readonly string[] = [
  'host',
  'port',
  'path',
  'tls',
  'lookup',
  'noDelay',
  'keepAlive',
  'keepAliveDelay',
];
const OWN_CALLBACKS: readonly string[] = ['create', 'destroy', 'reset', 'maxLeasesPerConnection'];
/** The events callers listen for. */
const EVENTS: readonly string[] = ['data', 'readable', 'end', 'close', 'error', 'timeout', 'drain'];

/** What the adapter knows of a socket. */
interface Parked {
  readonly listeners: KeptListeners;
  /** How many bytes it had received when it was given back. */
  bytesRead: number;
}

/**
 * A pool of connected sockets. A socket that closes, fails, or receives bytes while it is not lent is not lent again: bytes nobody asked for
 * mean that the two sides no longer agree on whose turn it is. Whoever gives a socket back has read every answer to the end. Listeners, pipes and `setTimeout()`
 * of the caller are taken off; a socket with `setEncoding()` is not used again.
 *
 * The name of the pool is `host:port` (or `path`) unless one is given; its metrics are named `perf.conn_pool.*`.
 *
 * @throws RangeError, TypeError naming the option and its value
 */
export function tcpPool(options: TcpPoolOptions): ConnectionPool<Socket> {
  checkOptions('tcpPool', options, [...OWN_OPTIONS, ...OPTION_NAMES.filter((each) => !OWN_CALLBACKS.includes(each))]);
  checkTarget(options);
  checkFlags(options);
  const { host = 'localhost', port, path, validate } = options;
  const pooled = Object.entries(options).filter(([name, value]) => value !== undefined && !OWN_OPTIONS.includes(name));
  const parked = new WeakMap<Socket, Parked>();
  const open = opener(options);
  return new ConnectionPool<Socket>({
    name: path ?? `${host}:${port}`,
    metricPrefix: 'perf.conn_pool',
    // Looking at a few flags is cheaper than asking how old the last look is.
    validateAfterIdle: validate === undefined ? 0 : 500,
    ...(Object.fromEntries(pooled) as Pick<TcpPoolOptions, 'max'>),
    create: async (ctx) => {
      const socket = await open(ctx);
      parked.set(socket, { listeners: new KeptListeners(socket, EVENTS), bytesRead: socket.bytesRead });
      return socket;
    },
    destroy: (socket) => destroyed(socket),
    validate: (socket, ctx) => {
      const facts = parked.get(socket);
      if (!isQuiet(socket, facts)) return false;
      return validate === undefined || answers(socket, facts, () => validate(socket, ctx));
    },
    reset: (socket) => cleared(socket, parked.get(socket)),
  });
}

/** Asks; the bytes of the answer were asked for. */
async function answers(
  socket: Socket,
  facts: Parked | undefined,
  ask: () => boolean | PromiseLike<boolean>,
): Promise<boolean> {
  if (!(await ask())) return false;
  cleared(socket, facts);
  return true;
}

/** Takes back what its user changed. @throws Error if that cannot be */
function cleared(socket: Socket, facts: Parked | undefined): void {
  socket.unpipe();
  facts?.listeners.restore();
  socket.setTimeout(0);
  socket.ref();
  // The next owner would wait for what is never sent.
  while (socket.writableCorked > 0) socket.uncork();
  if (!isQuiet(socket, undefined)) throw new Error('the socket was given back closed, paused, or with unread data');
  if (socket.readableEncoding !== null) throw new Error('the socket was given an encoding, which cannot be taken back');
  if (facts !== undefined) facts.bytesRead = socket.bytesRead;
}

/** @throws RangeError, TypeError naming the option and its value */
function checkFlags({ lookup, noDelay = true, keepAlive = true, keepAliveDelay, validate }: TcpPoolOptions): void {
  if (lookup !== undefined) checkFunction('lookup', lookup);
  if (validate !== undefined) checkFunction('validate', validate);
  checkBoolean('noDelay', noDelay);
  checkBoolean('keepAlive', keepAlive);
  if (keepAliveDelay !== undefined) checkRange('keepAliveDelay', keepAliveDelay, { min: 1_000, max: 2 ** 31 - 1 });
}

/** @throws RangeError, TypeError naming the option and its value */
function checkTarget({ host = 'localhost', port, path, tls = false }: TcpPoolOptions): void {
  checkName('host', host);
  if (path === undefined) checkRange('port', checkPositiveInteger('port', port), { min: 1, max: 65_535 });
  else checkName('path', path);
  if (typeof tls !== 'object' || tls === null) checkBoolean('tls', tls);
}

/** Whether both directions are open and nothing has come that nobody read. */
function isQuiet(socket: Socket, since: Parked | undefined): boolean {
  if (socket.destroyed || !socket.readable || !socket.writable || socket.isPaused() || socket.readableLength > 0)
    return false;
  // A socket that flows without a listener drops what it receives; its byte count tells. Not so for TLS, where tickets and
  // key updates come at any time.
  return since === undefined || 'encrypted' in socket || socket.bytesRead === since.bytesRead;
}
