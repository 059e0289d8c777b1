import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { CreateContext } from './options.ts';
import type { TcpPoolOptions } from './tcp.ts';

/** How to open one more connection. */
export function opener(options: TcpPoolOptions): (ctx: CreateContext) => Promise<Socket> {
  const { host = 'localhost', port = 0, path, tls = false, lookup } = options;
  const { noDelay = true, keepAlive = true, keepAliveDelay = 60_000 } = options;
  const address = path === undefined ? { host, port, ...(lookup === undefined ? {} : { lookup }) } : { path };
  if (tls === false) {
    const plain = { ...address, noDelay, keepAlive, keepAliveInitialDelay: keepAliveDelay };
    return (ctx) => connected(connectTcp(plain), 'connect', ctx);
  }
  // The host's name is sent to the server; an address must not be.
  const named = path === undefined && isIP(host) === 0 ? { servername: host } : {};
  const security = tls === true ? {} : tls;
  let session: Buffer | undefined;
  return (ctx) => {
    const resumed = session === undefined ? {} : { session };
    const socket = connectTls({ ...named, ...resumed, ...security, ...address });
    socket.on('session', (latest) => {
      session = latest;
    });
    // It may have been for what the server no longer knows.
    socket.once('error', () => {
      session = undefined;
    });
    socket.setNoDelay(noDelay).setKeepAlive(keepAlive, keepAliveDelay);
    return connected(socket, 'secureConnect', ctx);
  };
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
    // Half closed, where that is allowed: nothing will come any more.
    socket.once('end', () => lost(failure ?? new Error('the peer closed the connection')));
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

/** Closes a socket. Returns a promise only if there is something to wait for. */
export function destroyed(socket: Socket): Promise<void> | undefined {
  if (socket.closed) return undefined;
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
