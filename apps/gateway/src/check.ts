import { closing } from './closing.ts';
import { loadConfig } from './config.ts';
import { stopSignal } from './stop-signal.ts';
import { ToolStore } from './tool-store.ts';

/** Starts every server of a configuration once and says what each offers. Resolves to whether all of them came up. */
export async function check(file: string): Promise<boolean> {
  const config = await loadConfig(file);
  // What was started so far ends with the process.
  void stopSignal().then(() => process.exit(130));
  const { servers } = await closing(await ToolStore.open(config), (store) => store.stats());
  for (const { name, status, reason, tools } of servers) {
    console.log(status === 'up' ? `${name}: up, ${tools} tools` : `${name}: ${status}, ${reason ?? 'unknown reason'}`);
  }
  return servers.every(({ status }) => status === 'up');
}
