import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../src/config.ts';
import { ToolStore } from '../../src/tool-store.ts';

const SCRIPT: string = fileURLToPath(new URL('./odd-server.mjs', import.meta.url));

/** The entry of `mcpServers` for a server that misbehaves in these ways. */
export function oddServer(modes: readonly string[] = [], settings: object = {}): Record<string, unknown> {
  return { command: process.execPath, args: [SCRIPT, ...modes], maxSessions: 1, ...settings };
}

/** A store over one of them, as `odd`. */
export function openOddStore(modes?: readonly string[], settings?: object): Promise<ToolStore> {
  return ToolStore.open(parseConfig(JSON.stringify({ mcpServers: { odd: oddServer(modes, settings) } }), '/mcp.json'));
}
