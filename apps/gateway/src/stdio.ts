import { Console } from 'node:console';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { loadConfig } from './config.ts';
import { createServer } from './mcp-endpoint.ts';
import { reportStatus } from './report-status.ts';
import { stopSignal } from './stop-signal.ts';
import { ToolStore } from './tool-store.ts';

/** Serves the tools to the one client on standard input and output, until it hangs up. Standard output carries the protocol and nothing else. */
export async function stdio(file: string): Promise<void> {
  // Nor may a library print there.
  globalThis.console = new Console(process.stderr);
  const stopped = stopSignal();
  const config = await loadConfig(file);
  const store = await Promise.race([ToolStore.open(config, { onStatus: reportStatus }), stopped]);
  // What was started so far ends with the process.
  if (store === undefined) process.exit(130);
  const handle = serveStdio(() => {
    const server = createServer(store);
    store.onToolsChanged = () => void server.sendToolListChanged().catch(() => {});
    return server;
  });
  const left = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    // Writing to a client that is gone; more than one write may fail.
    process.stdout.on('error', () => resolve());
  });
  await Promise.race([left, stopped]);
  await handle.close();
  await store.close();
}
