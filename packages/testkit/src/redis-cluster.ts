import { freePort } from './free-port.ts';
import { redisInline } from './redis-inline.ts';
import { type RedisServer, startRedis } from './redis.ts';

/** A Redis Cluster of masters, that a test may talk to and kill. */
export interface RedisClusterServers {
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;

interface Node {
  readonly server: RedisServer;
  readonly busPort: number;
}

/** A real Cluster on free ports of 127.0.0.1, with the slots in equal parts, and no replicas. */
export async function startRedisCluster(masters: number): Promise<RedisClusterServers> {
  const nodes: Node[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(({ server }) => server.stop()));
  };
  try {
    for (let index = 0; index < masters; index++) nodes.push(await startNode(index, masters));
    await meet(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes: nodes.map(({ server }) => server), stop };
}

async function startNode(index: number, masters: number): Promise<Node> {
  // By default a node's own port and 10,000, which may be no port at all.
  const busPort = await freePort();
  const settings = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', '2000'];
  // One node that is lost does not end the others.
  settings.push('--cluster-announce-ip', '127.0.0.1', '--cluster-require-full-coverage', 'no');
  const server = await startRedis(settings);
  const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / masters)) as [number, number];
  await ok(server.port, `CLUSTER ADDSLOTSRANGE ${from} ${to - 1}`);
  await ok(server.port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
  return { server, busPort };
}

async function meet(nodes: readonly Node[]): Promise<void> {
  const [first, ...others] = nodes;
  for (const { server } of others) {
    await ok(server.port, `CLUSTER MEET 127.0.0.1 ${first?.server.port} ${first?.busPort}`);
  }
  for (const { server } of nodes) await formed(server.port, nodes.length);
}

async function formed(port: number, size: number): Promise<void> {
  let info = '';
  for (let attempt = 0; attempt < 1_000; attempt++) {
    info = await redisInline(port, 'CLUSTER INFO');
    if (info.includes('cluster_state:ok') && info.includes(`cluster_size:${size}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the Redis Cluster did not form within 10 seconds: ${info}`);
}

async function ok(port: number, command: string): Promise<void> {
  const answer = await redisInline(port, command);
  if (!answer.startsWith('+OK')) throw new Error(`Redis answered to ${command}: ${answer}`);
}
