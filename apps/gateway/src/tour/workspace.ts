import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../config.ts';
import { ToolStore } from '../tool-store.ts';

const SAMPLE = fileURLToPath(new URL('../../sample/', import.meta.url));
const FOLDERS = 40;
const FILES_PER_FOLDER = 25;

/** What the stops of the tour work on: a copy of the sample folder with more files, and a store of tools over a real MCP filesystem server on it. */
export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  readonly store: ToolStore;
}

export async function openWorkspace(): Promise<Workspace> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'perf-tour-')));
  try {
    await cp(SAMPLE, folder, { recursive: true });
    await writeManyFiles(join(folder, 'archive'));
    const store = await ToolStore.open(configFor(folder));
    const [server] = store.stats().servers;
    if (server?.status !== 'up')
      throw new Error(`the MCP filesystem server did not come up: ${server?.reason ?? 'unknown reason'}`);
    return {
      folder,
      store,
      [Symbol.asyncDispose]: async () => {
        await store.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function configFor(folder: string): ReturnType<typeof parseConfig> {
  const files = {
    command: 'npx',
    args: ['-y', '@modelcontextprotocol/server-filesystem', folder],
    cacheTtl: 60_000,
    orderBy: { read_file: 'path', write_file: 'path' },
  };
  return parseConfig(JSON.stringify({ mcpServers: { files } }), join(folder, 'mcp.json'));
}

async function writeManyFiles(root: string): Promise<void> {
  for (let folder = 0; folder < FOLDERS; folder++) {
    const path = join(root, `week-${folder}`);
    await mkdir(path, { recursive: true });
    const names = Array.from({ length: FILES_PER_FOLDER }, (_, file) => `report-${file}.txt`);
    await Promise.all(names.map((name, file) => writeFile(join(path, name), `report ${folder}.${file}\n`.repeat(200))));
  }
}
