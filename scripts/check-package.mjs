// Checks the package in the current folder as it would be published: its exports (publint), its types as each resolver sees them
// (are-the-types-wrong), its size, and that the tarball holds nothing it should not.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'perf-pack-'));
const tarball = join(folder, 'package.tgz');

/** @param {string} command @param {string[]} args */
function run(command, args) {
  execFileSync(command, args, { stdio: 'inherit' });
}

/** @param {string} problem */
function fail(problem) {
  console.error(`${manifest.name}: ${problem}`);
  process.exitCode = 1;
}

for (const file of ['README.md', 'src/index.ts']) if (!existsSync(file)) fail(`${file} is missing`);
try {
  run('publint', ['--strict']);
  run('pnpm', ['pack', '--out', tarball]);
  run('attw', [tarball, '--profile', 'esm-only']);
  run('size-limit', []);
  const listed = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
  for (const file of listed) {
    if (/(^|\/)(test|node_modules|\.readme|\.turbo)\//.test(file)) fail(`the tarball holds ${file}`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
