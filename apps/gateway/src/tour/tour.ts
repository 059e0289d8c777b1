import { mkdir } from 'node:fs/promises';
import { closing } from '../closing.ts';
import { stopSignal } from '../stop-signal.ts';
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
  const unknown = stops.find((stop) => !Object.hasOwn(STOPS, stop));
  if (unknown !== undefined)
    throw new Error(`the tour has no stop "${unknown}"; it has ${Object.keys(STOPS).join(', ')}`);
  const chosen = stops.length > 0 ? stops : Object.keys(STOPS);
  // Where it cannot be made, better now than after the work.
  if (chosen.includes('profiler')) await mkdir(out, { recursive: true });
  const stopped = interrupted();
  const narrator = new Narrator();
  narrator.say('Starting a real MCP filesystem server on a copy of the sample folder …');
  const { result: workspace, took } = await timed(openWorkspace);
  narrator.found('up after', milliseconds(took));
  await closing(workspace, async () => {
    for (const stop of chosen) await Promise.race([STOPS[stop]?.(narrator, workspace, out), stopped]);
  });
}

/** Rejects at the first signal to stop: what the tour has made is then taken away as at its end. */
function interrupted(): Promise<never> {
  const stopped = stopSignal().then(() => {
    throw new Error('interrupted');
  });
  stopped.catch(() => {});
  return stopped;
}
