import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { entryPath } from '../src/entry-path.ts';

let folder: string;
beforeEach(() => void (folder = realpathSync(mkdtempSync(join(tmpdir(), 'perf-entry-')))));
afterEach(() => rmSync(folder, { recursive: true }));

const file = (...path: string[]): string => {
  const name = join(folder, ...path);
  mkdirSync(join(name, '..'), { recursive: true });
  writeFileSync(name, '{}');
  return name;
};

test('it lies beside the module, in src and in dist', () => {
  const ts = file('src', 'worker-entry.ts');
  const js = file('dist', 'worker-entry.js');
  expect(entryPath(pathToFileURL(join(folder, 'src', 'entry-path.ts')).href)).toBe(ts);
  expect(entryPath(pathToFileURL(join(folder, 'dist', 'chunk-1.js')).href)).toBe(js);
});

test('for a bundle, it is that of the installed package', () => {
  file('node_modules', '@perf', 'pool', 'package.json');
  const entry = file('node_modules', '@perf', 'pool', 'dist', 'worker-entry.js');
  expect(entryPath(pathToFileURL(join(folder, 'out', 'bundle.js')).href)).toBe(entry);
});

test('a bundle without an installed package is told what to do', () => {
  const bundle = join(folder, 'bundle.js');
  expect(() => entryPath(pathToFileURL(bundle).href, () => undefined)).toThrow(
    `copy it from @perf/pool/dist to beside ${bundle}`,
  );
});
