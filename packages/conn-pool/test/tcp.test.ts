import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@perf/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionPool } from '../src/index.ts';
import { type TcpPoolOptions, tcpPool } from '../src/tcp.ts';

let server: Server;
let port: number;
/** The server's ends, in the order they came. */
let peers: Socket[];
let pool: ConnectionPool<Socket> | undefined;

beforeEach(async () => {
  peers = [];
  server = createServer((socket) => {
    peers.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(`echo ${data.toString()}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  await pool?.close({ force: true });
  pool = undefined;
  for (const peer of peers) peer.destroy();
  server.close();
});

function makePool(options: Partial<TcpPoolOptions> = {}): ConnectionPool<Socket> {
  pool = tcpPool({ host: '127.0.0.1', port, max: 2, ...options });
  return pool;
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

const until = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), { timeout: 5_000, interval: 2 });

describe('tcpPool()', () => {
  test('connects, reuses its sockets, and closes them', async () => {
    const sockets = makePool();
    for (let i = 0; i < 5; i++) expect(await sockets.use((socket) => ask(socket, `${i}`))).toBe(`echo ${i}`);
    expect(peers).toHaveLength(1);
    expect(sockets.name).toBe(`127.0.0.1:${port}`);
    await sockets.close();
    await until(() => peers[0]?.destroyed === true);
  });

  test('takes out an idle socket that the peer closes, before anybody gets it', async () => {
    const sockets = makePool();
    await sockets.use((socket) => ask(socket, 'a'));
    peers[0]?.end();
    await until(() => sockets.stats().size === 0);
    expect(await sockets.use((socket) => ask(socket, 'b'))).toBe('echo b');
    expect(peers).toHaveLength(2);
  });

  test('survives an idle socket that is reset', async () => {
    const onError = vi.fn();
    const sockets = makePool({ onError });
    await sockets.use((socket) => ask(socket, 'a'));
    peers[0]?.resetAndDestroy();
    await until(() => sockets.stats().size === 0);
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'ECONNRESET' }), 'connection');
  });

  test('survives it too when its last owner has removed all listeners', async () => {
    const onError = vi.fn();
    const sockets = makePool({ onError });
    await sockets.use(async (socket) => {
      await ask(socket, 'a');
      socket.removeAllListeners('error').removeAllListeners('close').removeAllListeners('end');
    });
    peers[0]?.resetAndDestroy();
    await until(() => sockets.stats().size === 0);
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'ECONNRESET' }), 'connection');
  });

  test('does not lend a socket that received bytes while nobody had it', async () => {
    const sockets = makePool();
    const first = await sockets.use(async (socket) => {
      await ask(socket, 'a');
      return socket;
    });
    const before = first.bytesRead;
    peers[0]?.write('nobody asked for this');
    await until(() => first.bytesRead > before);
    await sockets.use((socket) => expect(socket).not.toBe(first));
    expect(first.destroyed).toBe(true);
  });

  test('does not lend a socket that came back with unread data, paused, with an encoding, or closed', async () => {
    const onError = vi.fn();
    const sockets = makePool({ onError, max: 1 });
    await sockets.use(async (socket) => {
      socket.write('answer never read');
      await once(socket, 'readable');
    });
    await sockets.use((socket) => void socket.pause());
    await sockets.use((socket) => void socket.setEncoding('utf8'));
    await sockets.use((socket) => void socket.destroy());
    await sockets.use((socket) => ask(socket, 'fine'));
    expect(sockets.stats()).toMatchObject({ created: 5, destroyed: 4, idle: 1 });
  });

  test('takes off listeners for data that a caller left', async () => {
    const sockets = makePool({ max: 1 });
    const heard = vi.fn();
    await sockets.use(async (socket) => {
      await ask(socket, 'a');
      socket.on('data', heard);
    });
    expect(await sockets.use((socket) => ask(socket, 'secret'))).toBe('echo secret');
    expect(heard).not.toHaveBeenCalled();
    expect(peers).toHaveLength(1);
  });

  test.each<[object, string]>([
    [{ host: Symbol('h') }, '`host` must be a non-empty string, got Symbol(h)'],
    [{ host: 5 }, '`host` must be a non-empty string, got 5'],
    [{ port: 70_000 }, '`port` must be a number from 1 to 65535, got 70000'],
    [{ path: '' }, '`path` must be a non-empty string, got ""'],
    [{ tls: 'yes' }, '`tls` must be a boolean, got "yes"'],
    [{ tls: null }, '`tls` must be a boolean, got null'],
  ])('%o is refused by name and value', (options, message) => {
    expect(() => makePool(options)).toThrow(message);
  });

  test('tells why it cannot connect', async () => {
    const sockets = makePool({ port: await freePort(), acquireTimeout: 100 });
    await expect(sockets.acquire()).rejects.toMatchObject({
      code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test('gives up a connection that is being made when it closes', async () => {
    // An address for documentation (RFC 5737): nothing answers, or the network refuses at once.
    const sockets = makePool({ host: '192.0.2.1', acquireTimeout: 50 });
    await expect(sockets.acquire()).rejects.toMatchObject({ code: 'PERF_CONN_POOL_ACQUIRE_TIMEOUT' });
    await sockets.close();
    expect(sockets.stats().size).toBe(0);
  });

  test('connects to a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'perf-conn-pool-'));
    const path = join(folder, 'socket');
    const local = createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => local.listen(path, resolve));
    const sockets = tcpPool({ path, max: 1 });
    expect(String((await sockets.use((socket) => once(socket, 'data')))[0])).toBe('hello');
    expect(sockets.name).toBe(path);
    await sockets.close();
    local.close();
    rmSync(folder, { recursive: true });
  });

  test('speaks TLS', async () => {
    const key = Buffer.from('0123456789abcdef');
    // Pre-shared keys: TLS without certificates to make.
    const psk = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
    const secure = createTlsServer({ ...psk, pskCallback: () => key, pskIdentityHint: 'test' }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(`secret ${data.toString()}`));
    });
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    const tls = { ...psk, pskCallback: () => ({ psk: key, identity: 'test' }), checkServerIdentity: () => undefined };
    const sockets = makePool({ port: (secure.address() as AddressInfo).port, tls, min: 1 });
    await sockets.warmUp();
    expect(await sockets.use((socket) => ask(socket, 'a'))).toBe('secret a');
    expect(await sockets.use((socket) => ask(socket, 'b'))).toBe('secret b');
    expect(sockets.stats()).toMatchObject({ created: 1, idle: 1 });
    await sockets.close();
    const refused = makePool({ port: (secure.address() as AddressInfo).port, tls: true, acquireTimeout: 200 });
    await expect(refused.acquire()).rejects.toMatchObject({ cause: { code: expect.stringContaining('ERR_SSL') } });
    secure.close();
  });

  test.each<[object, string]>([
    [{ port: 0 }, '`port` must be a positive integer, got 0'],
    [{ port: 70_000 }, '`port` must be a number from 1 to 65535, got 70000'],
    [{ noDelay: 1 }, '`noDelay` must be a boolean, got 1'],
    [{ create: () => {} }, 'tcpPool has no option `create`'],
    [{ max: -1 }, '`max` must be a positive integer, got -1'],
  ])('refuses %o', (options, message) => {
    expect(() => makePool(options as Partial<TcpPoolOptions>)).toThrow(message);
  });
});
