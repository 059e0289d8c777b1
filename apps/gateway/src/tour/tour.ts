import { closing } from '../closing.ts';
import { batch } from './batch.ts';
import { cache } from './cache.ts';
import { connections } from './connections.ts';
import { cpu } from './cpu.ts';
import { memory } from './memory.ts';
import { Narrator, milliseconds, timed } from './narrator.ts';
import { profiler } from './profiler.ts';
import { type Workspace, openWorkspace } from './workspace.ts';

type Stop = (narrator: Narrator, workspace: Workspace, out: string) => Promise<void>;

/** In the order of the guide. */
const STOPS: Readonly<Record<string, Stop>> = { cpu, memory, cache, batch, connections, profiler };

/**
 * Runs the demonstrations, each on real parts: worker threads, a real MCP server over stdio, TCP connections, this process's own heap and CPU profile.
 * @throws Error for an unknown stop, or when a demonstration did not come out right
 */
export async function tour(stops: readonly string[], out: string): Promise<void> {
  const unknown = stops.find((stop) => !(stop in STOPS));
  if (unknown !== undefined)
    throw new Error(`the tour has no stop "${unknown}"; it has ${Object.keys(STOPS).join(', ')}`);
  const narrator = new Narrator();
  narrator.say('Starting a real MCP filesystem server on a copy of the sample folder …');
  const { result: workspace, took } = await timed(openWorkspace);
  narrator.found('up after', milliseconds(took));
  await closing(workspace, async () => {
    for (const stop of stops.length > 0 ? stops : Object.keys(STOPS)) await STOPS[stop]?.(narrator, workspace, out);
  });
}
