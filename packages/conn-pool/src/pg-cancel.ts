import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { startTimer } from '@perf/core';
import type { PgInternals } from './pg-client.ts';

/** How long the server may take to note a request, in milliseconds. */
const LIMIT = 1_000;

/**
 * Asks the server to give up what the client runs, on a connection of its own, as the protocol has it. Resolves when the server has taken
 * note, or after a second, or when it cannot be asked; never rejects.
 *
 * The request may arrive late and hit what runs next: send nothing more on that client.
 */
export function cancelStatement(client: PgInternals): Promise<void> {
  const { processID, secretKey, host, port, sslNegotiation } = client;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return Promise.resolve();
  if (host === undefined || port === undefined || sslNegotiation === 'direct') return Promise.resolve();
  const address = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  return new Promise((resolve) => {
    const socket = connectTcp(address);
    const timer = startTimer(() => socket.destroy(), LIMIT);
    socket.on('error', () => {});
    socket.once('close', () => {
      timer.cancel();
      resolve();
    });
    socket.once('connect', () => send(socket, client, message(80_877_102, [processID, secretKey])));
  });
}

/** The secret key is not to be read on the way where the client itself speaks TLS. */
function send(socket: Socket, { ssl, host = '' }: PgInternals, request: Buffer): void {
  if (ssl === undefined || ssl === false) {
    socket.write(request);
    socket.resume();
    return;
  }
  socket.write(message(80_877_103, []));
  socket.once('data', (answer) => {
    if (String(answer) !== 'S') {
      socket.destroy();
      return;
    }
    const options: ConnectionOptions = { socket, host, ...(ssl === true ? {} : ssl) };
    if (isIP(host) === 0) options.servername ??= host;
    const secured = connectTls(options, () => secured.write(request));
    secured.on('error', () => socket.destroy());
    secured.resume();
  });
}

/** A message without a type: its length, its code, and numbers. */
function message(code: number, numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + 4 * numbers.length);
  bytes.writeInt32BE(bytes.length, 0);
  bytes.writeInt32BE(code, 4);
  for (const [index, value] of numbers.entries()) bytes.writeInt32BE(value, 8 + 4 * index);
  return bytes;
}
