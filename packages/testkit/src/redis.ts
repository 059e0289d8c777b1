import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { redisInline } from './redis-inline.ts';

/** A Redis-compatible server that a test may talk to, and kill. */
export interface RedisServer {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** Ends the server with `signal` and waits for its end. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port: empty, or with what the arguments it was started with had it keep. */
  restart(): Promise<void>;
  /** Lets it hang: connections are taken, and nothing is answered, until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Stops it and deletes its folder. */
  stop(): Promise<void>;
}

const SERVERS = ['redis-server', 'valkey-server'];
const ADVICE =
  'install redis-server or valkey-server (Debian: `apt-get install redis-server`, macOS: `brew install redis`) and put it on PATH';

/**
 * A real Redis or Valkey: a server of the test's own on a free port of 127.0.0.1, without persistence, from the first of `redis-server` and `valkey-server`
 * on PATH; else the one at `REDIS_URL`; else, as root on Debian, one that is installed now. There is no fallback to a fake.
 *
 * @throws Error saying what to install
 */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const found = findServer();
  const url = process.env['REDIS_URL'];
  // With settings of the test's own, only a server of its own will do.
  if (found === undefined && url !== undefined && args.length === 0) return foreignRedis(url);
  return startOwn(found ?? installServer(), args);
}

/** Somebody else's server: it may be used, not killed. */
function foreignRedis(url: string): RedisServer {
  const refuse = (): never => {
    throw new Error(`this test kills its Redis, so it cannot use REDIS_URL: ${ADVICE}`);
  };
  const port = Number(new URL(url).port || 6379);
  return { url, port, kill: refuse, restart: refuse, pause: refuse, resume: refuse, stop: () => Promise.resolve() };
}

async function startOwn(binary: string, args: readonly string[]): Promise<RedisServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'perf-redis-'));
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(
      binary,
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...args],
      { stdio: 'ignore' },
    );
    await answering(port, child);
  };
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    running.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
    restart: async () => {
      await kill();
      await start();
    },
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findServer(): string | undefined {
  return SERVERS.find((name) => {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

function installServer(): string {
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // Test files run side by side, and may all come here.
    const lock = join(tmpdir(), 'perf-install.lock');
    const script =
      'command -v redis-server || (apt-get update && apt-get install -y --no-install-recommends redis-server)';
    try {
      execFileSync('flock', [lock, 'sh', '-c', script], { stdio: 'ignore', env });
    } catch {
      // Reported below, with what to do.
    }
  }
  const found = findServer();
  if (found !== undefined) return found;
  throw new Error(`these tests need a real Redis: ${ADVICE}`);
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (child.exitCode !== null) throw new Error(`the Redis server ended at start with exit code ${child.exitCode}`);
    if ((await redisInline(port, 'PING').catch(() => '')).startsWith('+PONG')) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the Redis server did not answer within 5 seconds');
}
