import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { loadConfig } from './config.ts';
import { createServer } from './mcp-endpoint.ts';
import { ToolStore } from './tool-store.ts';

/** Serves the tools to the one client on standard input and output, until it hangs up. Standard output carries the protocol and nothing else. */
export async function stdio(file: string): Promise<void> {
  const store = await ToolStore.open(await loadConfig(file), {
    onStatus: (server, status, reason) =>
      console.error(`server "${server}" is ${status}${reason === undefined ? '' : `: ${reason}`}`),
  });
  const handle = serveStdio(() => createServer(store));
  await new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await handle.close();
  await store.close();
}
