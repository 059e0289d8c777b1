import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { type AddressInfo, type LookupFunction, type Server, type Socket, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TLSSocket, createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import { type TcpPoolOptions, tcpPool } from '../src/tcp.ts';
import { selfSigned } from './self-signed.ts';

let servers: Server[] = [];
let peers: Socket[] = [];
let pool: ConnectionPool<Socket> | undefined;

beforeEach(() => {
  servers = [];
  peers = [];
});
afterEach(async () => {
  await pool?.close({ force: true });
  for (const peer of peers) peer.destroy();
  for (const server of servers) server.close();
});

const until = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), { timeout: 5_000, interval: 2 });

/** Listens; returns the port. */
async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

function echo(socket: Socket): void {
  peers.push(socket);
  socket.on('error', () => {});
  socket.on('data', (data) => socket.write(data));
}

function open(options: Partial<TcpPoolOptions>): ConnectionPool<Socket> {
  pool = tcpPool({ host: '127.0.0.1', max: 2, ...options });
  return pool;
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return String((await once(socket, 'data'))[0]);
}

describe('a socket', () => {
  test.each([false, true])(
    'that was never used, and that the server closes at once, is taken out (TLS: %s)',
    async (tls) => {
      const { cert, key } = selfSigned();
      const port = await listen(tls ? createTlsServer({ cert, key }, echo) : createServer(echo));
      const sockets = open({ port, host: 'localhost', lookup: local, min: 1, ...(tls ? { tls: { ca: cert } } : {}) });
      await sockets.warmUp();
      await until(() => peers.length === 1);
      peers[0]?.end();
      await until(() => sockets.stats().destroyed === 1);
      expect(await sockets.use((socket) => ask(socket, 'a'))).toBe('a');
    },
  );

  test('that the server half closes is taken out, even where half open sockets are allowed', async () => {
    const { cert, key } = selfSigned();
    const port = await listen(createTlsServer({ cert, key, allowHalfOpen: true } as object, echo));
    const tls = { ca: cert, allowHalfOpen: true } as object;
    const sockets = open({ port, host: 'localhost', lookup: local, tls });
    await sockets.use((socket) => ask(socket, 'a'));
    peers[0]?.end();
    await until(() => sockets.stats().size === 0);
  });

  test('is given back without the listeners, pipes and timeouts of its caller', async () => {
    const port = await listen(createServer(echo));
    const sockets = open({ port, max: 1 });
    const heard = vi.fn();
    const raw = await sockets.use(async (socket) => {
      await ask(socket, 'a');
      for (const event of ['error', 'close', 'timeout', 'end'] as const) socket.on(event, heard);
      socket.setTimeout(1);
      const sink = new PassThrough();
      socket.pipe(sink);
      return socket;
    });
    expect(raw.timeout).toBe(0);
    expect(await sockets.use((socket) => ask(socket, 'b'))).toBe('b');
    await sockets.close();
    expect(heard).not.toHaveBeenCalled();
  });

  test('is given back corked and unreferenced: the next owner has it as it was', async () => {
    const port = await listen(createServer(echo));
    const sockets = open({ port, max: 1 });
    const ref = vi.fn();
    const first = await sockets.use((socket) => {
      socket.unref();
      socket.cork();
      socket.cork();
      vi.spyOn(socket, 'ref').mockImplementation(ref);
      return socket;
    });
    expect(await sockets.use((socket) => ask(socket, 'b'))).toBe('b');
    expect(first.writableCorked).toBe(0);
    expect(ref).toHaveBeenCalled();
  });

  test('is asked in the protocol of the caller when it was idle, and replaced when it does not answer', async () => {
    const port = await listen(createServer(echo));
    let answer = true;
    const validate = vi.fn(async (socket: Socket) => (await ask(socket, 'ping')) === 'ping' && answer);
    const sockets = open({ port, max: 1, validate, validateAfterIdle: 0 });
    for (let i = 0; i < 3; i++) expect(await sockets.use((socket) => ask(socket, 'a'))).toBe('a');
    expect(sockets.stats().created).toBe(1);
    answer = false;
    const asked = sockets.use((socket) => ask(socket, 'b'));
    await until(() => sockets.stats().created === 2);
    expect(await asked).toBe('b');
  });
});

/** A resolver that knows one address. */
const local: LookupFunction = (_host, { all }, callback) => {
  if (all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

describe('a host with several addresses', () => {
  test('is reached at the first that answers', async () => {
    const port = await listen(createServer(echo));
    const lookup: LookupFunction = (_host, _options, callback) =>
      callback(null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const sockets = open({ port, host: 'service.example', lookup, acquireTimeout: 5_000 });
    expect(await sockets.use((socket) => ask(socket, 'a'))).toBe('a');
  });

  test('that cannot be found is told of', async () => {
    const lookup: LookupFunction = (host, _options, callback) =>
      callback(Object.assign(new Error(`no ${host}`), { code: 'ENOTFOUND' }), []);
    const sockets = open({ port: 1, host: 'nowhere.example', lookup, acquireTimeout: 50 });
    await expect(sockets.acquire()).rejects.toMatchObject({ cause: { code: 'ENOTFOUND' } });
  });
});

describe('TLS', () => {
  test('checks the certificate, names the host, and resumes sessions', async () => {
    const { cert, key } = selfSigned();
    const resumed: boolean[] = [];
    const names: unknown[] = [];
    const server = createTlsServer({ cert, key }, (socket) => {
      resumed.push(socket.isSessionReused());
      names.push(socket.servername);
      echo(socket);
    });
    const port = await listen(server);
    const sockets = open({ port, host: 'localhost', lookup: local, tls: { ca: cert }, max: 1 });
    for (let i = 0; i < 3; i++) {
      const lease = await sockets.acquire();
      expect((lease.connection as TLSSocket).authorized).toBe(true);
      expect(await ask(lease.connection, 'a')).toBe('a');
      lease.discard();
    }
    expect(resumed).toEqual([false, true, true]);
    expect(new Set(names)).toEqual(new Set(['localhost']));
    await sockets.close();
    const stranger = open({ port, host: 'localhost', lookup: local, tls: true, acquireTimeout: 300 });
    await expect(stranger.acquire()).rejects.toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
    await stranger.close();
    const elsewhere = { ca: cert, servername: 'other.example' };
    const wrong = open({ port, host: 'localhost', lookup: local, tls: elsewhere, acquireTimeout: 300 });
    await expect(wrong.acquire()).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  });
});

test.each<[object, string]>([
  [{ keepAliveDelay: 0 }, '`keepAliveDelay` must be a number from 1000'],
  [{ lookup: 'dns' }, '`lookup` must be a function'],
  [{ validate: true }, '`validate` must be a function'],
  [{ maxLeasesPerConnection: 2 }, 'tcpPool has no option `maxLeasesPerConnection`'],
])('%o is refused', (options, message) => {
  expect(() => open({ port: 1, ...options })).toThrow(message);
});

test('a process that has closed its pool ends by itself', async () => {
  const port = await listen(createServer(echo));
  const code = `import { tcpPool } from '@perf/conn-pool/tcp';
    const pool = tcpPool({ host: '127.0.0.1', port: ${port}, max: 2, min: 1 }); await pool.warmUp(); await pool.close();`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const child = execFile(process.execPath, ['--input-type=module', '-e', code], { cwd, timeout: 20_000 });
  expect(await once(child, 'exit')).toEqual([0, null]);
});
