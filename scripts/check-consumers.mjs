// Installs each package from its own tarball (and those of its siblings it depends on) in an empty project, as a user would, and uses it:
// imported, required, and type-checked by TypeScript 5.9 and 7.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** @typedef {{ name: string, folder: string, tarball: string, dependencies: string[], entries: string[], peers: Record<string, string> }} Package */

/** Entries that import a peer when they are loaded, rather than take what the caller made of it. */
const RUNS_ON = /** @type {Record<string, string[]>} */ ({ '@perf/batch/bullmq': ['bullmq', 'ioredis'] });

const work = mkdtempSync(join(tmpdir(), 'perf-consumers-'));

/** @param {string} cwd @param {string} command @param {string[]} args */
function run(cwd, command, args) {
  try {
    execFileSync(command, args, { cwd, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    throw new Error(`\`${command} ${args.join(' ')}\` failed:\n${stdout}${stderr}`);
  }
}

/** @returns {Package[]} */
function packAll() {
  const packages = [];
  for (const each of readdirSync('packages')) {
    const folder = resolve('packages', each);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (manifest.private === true) continue;
    const tarball = join(work, `${each}.tgz`);
    run(folder, 'pnpm', ['pack', '--out', tarball]);
    const entries = Object.keys(manifest.publishConfig.exports).filter((entry) => entry !== './package.json');
    const dependencies = Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith('@perf/'));
    packages.push({
      name: manifest.name,
      folder,
      tarball,
      dependencies,
      entries,
      peers: manifest.peerDependencies ?? {},
    });
  }
  return packages;
}

/** The package and the siblings it needs. @param {Package} target @param {Package[]} all @returns {Package[]} */
function closure(target, all) {
  const needed = new Set([target]);
  for (const each of needed)
    for (const name of each.dependencies) needed.add(/** @type {Package} */ (all.find((other) => other.name === name)));
  return [...needed];
}

/** What `target` is imported by. @param {Package} target */
function specifiersOf(target) {
  return target.entries.map((entry) => target.name + entry.slice(1));
}

/**
 * Uses some entries of a package with nothing else installed but the given peers.
 * @param {Package} target @param {Package[]} all @param {{ specifiers: string[], peers: string[] }} use
 */
function check(target, all, { specifiers, peers }) {
  const project = join(work, [target.name, ...peers].join('-').replaceAll('/', '-'));
  mkdirSync(project);
  const tarballs = Object.fromEntries(closure(target, all).map(({ name, tarball }) => [name, `file:${tarball}`]));
  // Siblings come from their tarballs, for none of them is in a registry at this version yet.
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: { ...tarballs, ...Object.fromEntries(peers.map((peer) => [peer, target.peers[peer]])) },
    }),
  );
  writeFileSync(
    join(project, 'pnpm-workspace.yaml'),
    JSON.stringify({ overrides: tarballs, allowBuilds: { 'msgpackr-extract': false }, pmOnFail: 'ignore' }),
  );
  run(project, 'pnpm', ['install', '--no-frozen-lockfile']);
  const imports = specifiers.map(
    (specifier, index) =>
      `import * as m${index} from '${specifier}';\nif (Object.keys(m${index}).length === 0) throw new Error('empty');`,
  );
  writeFileSync(join(project, 'use.mjs'), imports.join('\n'));
  writeFileSync(
    join(project, 'use.cjs'),
    specifiers
      .map((specifier) => `if (Object.keys(require('${specifier}')).length === 0) throw new Error('empty');`)
      .join('\n'),
  );
  run(project, 'node', ['use.mjs']);
  run(project, 'node', ['use.cjs']);
  checkTypes(project, imports);
}

/** With the types of Node and of the peers that are there only. @param {string} project @param {string[]} imports */
function checkTypes(project, imports) {
  writeFileSync(join(project, 'use.ts'), `${imports.join('\n')}\nexport {};\n`);
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable', 'esnext.decorators'],
    module: 'nodenext',
    strict: true,
    noEmit: true,
    // The default of TypeScript: our declarations must be right on their own.
    skipLibCheck: false,
    types: ['node'],
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
  for (const version of ['5.9', '7.0'])
    run(project, join(work, `ts-${version}`, 'node_modules', '.bin', 'tsc'), [
      '-p',
      project,
      '--typeRoots',
      join(work, `ts-${version}`, 'node_modules', '@types'),
    ]);
}

/** @param {string} version */
function provideTypeScript(version) {
  const folder = join(work, `ts-${version}`);
  mkdirSync(folder);
  const dependencies = { typescript: `~${version}.0`, '@types/node': '^24' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  writeFileSync(join(folder, 'pnpm-workspace.yaml'), JSON.stringify({ pmOnFail: 'ignore' }));
  run(folder, 'pnpm', ['install', '--no-frozen-lockfile']);
}

let failures = 0;
try {
  for (const version of ['5.9', '7.0']) provideTypeScript(version);
  const packages = packAll();
  for (const target of packages) {
    try {
      const all = specifiersOf(target);
      check(target, packages, { specifiers: all.filter((each) => RUNS_ON[each] === undefined), peers: [] });
      for (const each of all) {
        const peers = RUNS_ON[each];
        if (peers !== undefined) check(target, packages, { specifiers: [each], peers });
      }
      console.log(
        `${target.name}: installs alone; import, require and types (TypeScript 5.9 and 7.0) work for ${target.entries.join(', ')}`,
      );
    } catch (error) {
      failures++;
      console.error(`${target.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
