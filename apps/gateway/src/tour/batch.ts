import { join } from 'node:path';
import type { BatchCall } from '../tool-store.ts';
import { type Narrator, milliseconds, timed } from './narrator.ts';
import type { Workspace } from './workspace.ts';

const FILES = 50;

/** Application level, batches: reads with reads and writes with writes, 20 to a batch, 5 batches at a time, and each file's own order kept. */
export async function batch(narrator: Narrator, { folder, store }: Workspace): Promise<void> {
  narrator.stop('Batches: 50 writes and 50 reads of 50 files on a real MCP server');
  const paths = Array.from({ length: FILES }, (_, index) => join(folder, `batch-${index}.txt`));
  const write = (path: string, index: number): BatchCall => ({
    toolName: 'files__write_file',
    arguments: { path, content: `content ${index}` },
  });
  const read = (path: string): BatchCall => ({ toolName: 'files__read_file', arguments: { path } });
  const calls = paths.flatMap((path, index) => [write(path, index), read(path)]);
  const sentBefore = store.stats().servers[0]?.batches.sent ?? 0;
  const { result: outcomes, took } = await timed(() => store.batchCall(calls));
  const sent = (store.stats().servers[0]?.batches.sent ?? 0) - sentBefore;
  const right = outcomes.filter((outcome, index) => {
    if (outcome.status === 'rejected' || outcome.value.isError === true) return false;
    return index % 2 === 0 || JSON.stringify(outcome.value.content).includes(`content ${(index - 1) / 2}`);
  });
  narrator.found('operations, all right and in their places', `${right.length} of ${calls.length}`);
  narrator.found('batches sent (20 at most in each, 5 at a time)', String(sent));
  narrator.found('in one batchCall', milliseconds(took));
  const oneByOne = await timed(async () => {
    for (const { toolName, arguments: args } of calls) await store.callTool(toolName, args);
  });
  narrator.found('the same operations one after the other', milliseconds(oneByOne.took));
  if (right.length !== calls.length)
    throw new Error(`${calls.length - right.length} operations failed, or read what was not written`);
}
