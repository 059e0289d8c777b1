import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { tcpPool } from '@perf/conn-pool/tcp';
import { delay } from '@perf/core';
import { type Narrator, milliseconds, timed } from './narrator.ts';

const OPERATIONS = 100;
const MAX = 15;

/** Network level, connections: many operations over a few connections that stay open. */
export async function connections(narrator: Narrator): Promise<void> {
  narrator.stop(`Connection pool: ${OPERATIONS} operations at once over at most ${MAX} real connections`);
  const server = await startLineServer();
  const { port } = server.listener.address() as AddressInfo;
  const pool = tcpPool({ host: '127.0.0.1', port, min: 5, max: MAX, name: 'tour-tcp' });
  await pool.warmUp();
  const { result: answers, took } = await timed(() =>
    Promise.all(
      Array.from({ length: OPERATIONS }, (_, index) => pool.use((socket) => ask(socket, `question ${index}`))),
    ),
  );
  const right = answers.filter((answer, index) => answer === `QUESTION ${index}`).length;
  narrator.found('right answers', `${right} of ${OPERATIONS}`);
  narrator.found('time for all (each takes 5 ms at the server)', milliseconds(took));
  narrator.found('most connections the server saw at a time', String(server.most()));
  const { acquired, created, waitMean, waitP99 } = pool.stats();
  narrator.found('leases / connections made', `${acquired} / ${created}`);
  narrator.found('wait for a connection, mean / p99', `${milliseconds(waitMean)} / ${milliseconds(waitP99)}`);
  await pool.close();
  await new Promise((resolve) => server.listener.close(resolve));
}

interface LineServer {
  readonly listener: Server;
  /** The most connections that were open at a time. */
  most(): number;
}

/** A TCP server that answers each line, after 5 ms, in capitals. */
async function startLineServer(): Promise<LineServer> {
  let open = 0;
  let most = 0;
  const server = createServer((socket) => {
    most = Math.max(most, ++open);
    socket.once('close', () => open--);
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', (line) => {
      void delay(5).then(() => socket.write(`${line.toUpperCase()}\n`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { listener: server, most: () => most };
}

/** Sends one line and waits for one. */
function ask(socket: Socket, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const settle = (): void => {
      socket.off('data', onData);
      socket.off('error', reject);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString();
      if (!text.endsWith('\n')) return;
      settle();
      resolve(text.trimEnd());
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.write(`${question}\n`);
  });
}
