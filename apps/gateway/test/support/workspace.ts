import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GatewayConfig, parseConfig } from '../../src/config.ts';

/** A folder with a few files for a real filesystem server, and configurations over it. */
export interface TestWorkspace extends AsyncDisposable {
  readonly folder: string;
  path(...parts: string[]): string;
  /** The filesystem server as `files`, with these of its settings changed, and other servers beside it. */
  config(files?: Record<string, unknown>, others?: Record<string, unknown>): GatewayConfig;
  /** The same as a file; returns its path. */
  configFile(files?: Record<string, unknown>, others?: Record<string, unknown>): Promise<string>;
}

export async function createWorkspace(): Promise<TestWorkspace> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'perf-gateway-')));
  const path = (...parts: string[]): string => join(folder, 'data', ...parts);
  await mkdir(path('notes'), { recursive: true });
  await writeFile(path('hello.txt'), 'hello');
  await writeFile(path('notes', 'todo.md'), '# To do\n');
  const text = (files: Record<string, unknown> = {}, others: Record<string, unknown> = {}): string => {
    const server = { command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', path()], ...files };
    return JSON.stringify({ mcpServers: { files: server, ...others } });
  };
  return {
    folder,
    path,
    config: (files, others) => parseConfig(text(files, others), join(folder, 'mcp.json')),
    configFile: async (files, others) => {
      const file = join(folder, 'mcp.json');
      await writeFile(file, text(files, others));
      return file;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
