// The commands of a fresh checkout: `node scripts/bootstrap.mjs <command> [arguments]`, behind `npm start`, `npm test`, …
// Runs on Node 20 or newer with nothing installed. It brings what the workspace needs and the machine lacks, then runs the command.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TOOLCHAIN = join(ROOT, '.toolchain');
const STAMP = join(ROOT, 'node_modules', '.perf-setup');
const NODE_VERSION = '24.21.0';
const OLDEST_NODE = [22, 18];
const PNPM_VERSION = readJson(join(ROOT, 'package.json')).packageManager.split('@')[1];

/** What each command runs once everything is installed. @type {Record<string, string[][]>} */
const COMMANDS = {
  start: [['node', 'apps/gateway/src/cli.ts', 'serve']],
  tour: [['node', 'apps/gateway/src/cli.ts', 'tour']],
  bench: [['node', '--expose-gc', 'apps/bench/src/cli.ts']],
  test: [['node', 'scripts/run-tests.mjs']],
  changeset: [['pnpm', 'exec', 'changeset']],
  check: [
    ['pnpm', 'run', 'lint'],
    ['pnpm', 'run', 'typecheck'],
    ['pnpm', 'run', 'knip'],
    ['pnpm', 'run', 'boundaries'],
    ['pnpm', 'run', 'check:package'],
  ],
};

async function main() {
  const [command, ...args] = process.argv.slice(2);
  if (command !== undefined && COMMANDS[command] === undefined) {
    throw new Error(`unknown command "${command}"; there are ${Object.keys(COMMANDS).join(', ')}`);
  }
  // Tools are not to call home from a test run.
  Object.assign(process.env, { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' });
  await provideNode();
  await providePnpm();
  await install();
  for (const line of command === undefined ? [] : (COMMANDS[command] ?? [])) {
    const code = await forward([...line, ...args]);
    if (code !== 0) process.exit(code);
  }
}

/** The tools need a Node that strips types; an older one gets the npm package of the binary, in a folder of the checkout. */
async function provideNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const name = `${prefix}-${platform}-${process.arch}`;
  await bring(name, NODE_VERSION, `Node.js ${NODE_VERSION} (this machine has ${process.versions.node})`);
  putFirst(join(TOOLCHAIN, 'node_modules', name, 'bin'));
}

async function providePnpm() {
  await bring('pnpm', PNPM_VERSION, `pnpm ${PNPM_VERSION}`);
  putFirst(join(TOOLCHAIN, 'node_modules', '.bin'));
}

/** Sees to it that the toolchain has this version of a package. @param {string} name @param {string} version @param {string} what */
async function bring(name, version, what) {
  const present = join(TOOLCHAIN, 'node_modules', name, 'package.json');
  if (existsSync(present) && readJson(present).version === version) return;
  mkdirSync(TOOLCHAIN, { recursive: true });
  // A manifest of its own keeps npm from walking up to the workspace.
  const manifest = join(TOOLCHAIN, 'package.json');
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "private": true }\n');
  const flags = ['--prefix', TOOLCHAIN, '--no-audit', '--no-fund', '--loglevel=error'];
  await quietly(`Fetching ${what}`, ['npm', 'install', ...flags, `${name}@${version}`]);
}

/** @param {string} folder */
function putFirst(folder) {
  process.env['PATH'] = `${folder}${delimiter}${process.env['PATH']}`;
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Installs when the lockfile, the workspace or Node's binary interface is another than the last time. */
async function install() {
  const fingerprint = createHash('sha256')
    .update(process.versions.modules)
    .update(readFileSync(join(ROOT, 'pnpm-lock.yaml')))
    .update(readFileSync(join(ROOT, 'pnpm-workspace.yaml')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === fingerprint) return;
  await quietly('Installing the dependencies', ['pnpm', 'install', '--frozen-lockfile', '--reporter=append-only']);
  writeFileSync(STAMP, fingerprint);
}

/** Runs a command behind a progress line, and shows its output only when it fails. @param {string} title @param {string[]} line */
async function quietly(title, line) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const live = process.stderr.isTTY === true;
  process.stderr.write(live ? `${title} …` : `${title} …\n`);
  const ticker = setInterval(
    () => process.stderr.write(live ? `\r${title} … ${seconds()} s` : `  still at it, ${seconds()} s\n`),
    live ? 1000 : 10_000,
  );
  let output = '';
  const child = start(line, ['ignore', 'pipe', 'pipe']);
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const code = await exit(child).finally(() => clearInterval(ticker));
  process.stderr.write(`${live ? '\r' : ''}${title}: ${code === 0 ? 'done' : 'failed'}, ${seconds()} s\n`);
  if (code === 0) return;
  process.stderr.write(output);
  throw new Error(`\`${line.join(' ')}\` failed with exit code ${code}`);
}

/** Runs a command in this terminal; it hears the signals that this process hears. @param {string[]} line */
async function forward(line) {
  const child = start(line, 'inherit');
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal));
  }
  // npm passes a signal to the shell between it and this process, and that shell ends without passing it on.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500);
  return exit(child).finally(() => clearInterval(watch));
}

/** @param {string[]} line @param {import('node:child_process').StdioOptions} stdio */
function start([command = '', ...args], stdio) {
  return spawn(command, args, { cwd: ROOT, stdio, shell: process.platform === 'win32' });
}

/** @param {import('node:child_process').ChildProcess} child @returns {Promise<number>} */
function exit(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // What a shell makes of a signal.
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
