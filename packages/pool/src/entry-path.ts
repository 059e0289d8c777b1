import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file that workers run. It lies beside this one, in `src` and in `dist`. In an application that was bundled into one file it does not: then the
 * one of the installed package is taken.
 *
 * @throws Error when there is neither
 */
export function entryPath(
  from: string = import.meta.url,
  findInstalled: typeof installedEntry = installedEntry,
): string {
  const extension = from.endsWith('.ts') ? '.ts' : '.js';
  const beside = fileURLToPath(new URL(`./worker-entry${extension}`, from));
  if (existsSync(beside)) return beside;
  const installed = findInstalled(from);
  if (installed !== undefined) return installed;
  throw new Error(
    `@perf/pool finds no worker-entry.js: copy it from @perf/pool/dist to beside ${fileURLToPath(from)}, or mark @perf/pool as external when bundling`,
  );
}

function installedEntry(from: string): string | undefined {
  try {
    const manifest = createRequire(from).resolve('@perf/pool/package.json');
    const entry = join(dirname(manifest), 'dist', 'worker-entry.js');
    return existsSync(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}
