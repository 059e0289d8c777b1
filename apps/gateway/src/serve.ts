import { loadConfig } from './config.ts';
import { Gateway } from './gateway.ts';
import { reportStatus } from './report-status.ts';
import { stopSignal } from './stop-signal.ts';

export interface ServeFlags {
  readonly config: string;
  readonly port: number;
}

/**
 * Runs the gateway until SIGINT or SIGTERM.
 * @throws ConfigError, with one line, when it cannot start
 */
export async function serve({ config: file, port }: ServeFlags): Promise<void> {
  const config = await loadConfig(file);
  console.error(`Starting ${[...config.servers.keys()].join(', ')} …`);
  const stopped = stopSignal();
  const gateway = await Promise.race([Gateway.start(config, { port, onStatus: reportStatus }), stopped]);
  // What was started so far ends with the process.
  if (gateway === undefined) process.exit(130);
  const { servers } = gateway.store.stats();
  if (servers.every(({ status }) => status !== 'up')) {
    await gateway.close();
    throw new Error('none of the servers came up');
  }
  announce(gateway);
  await stopped;
  console.error('Shutting down: running calls may finish, then the servers end …');
  await gateway.close();
}

function announce({ url, store }: Gateway): void {
  const tools = store.listTools();
  const tool = tools.find(({ name }) => name.endsWith('__list_directory')) ?? tools[0];
  const args = tool?.name.endsWith('__list_directory') === true ? { path: '.' } : {};
  const call = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: tool?.name ?? '', arguments: args },
  });
  console.log(`
perf gateway: ${tools.length} tools of ${store.stats().servers.length} servers

  MCP endpoint   ${url}/mcp
  Live page      ${url}/
  Metrics        ${url}/metrics

Call a tool:

  curl -s ${url}/mcp -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \\
    -d '${call}'

Stop with Ctrl+C.`);
}
