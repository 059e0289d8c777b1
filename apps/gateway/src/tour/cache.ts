import { join } from 'node:path';
import { type Narrator, milliseconds, timed } from './narrator.ts';
import type { Workspace } from './workspace.ts';

/** Application level, cache: an expensive call is made once, and what it saw is never served after a change. */
export async function cache(narrator: Narrator, { folder, store }: Workspace): Promise<void> {
  narrator.stop('Cache: an expensive call twice, and never a stale answer');
  const before = store.stats().cache;
  const tree = (): ReturnType<typeof store.callTool> =>
    store.callTool('files__directory_tree', { path: join(folder, 'archive') });
  const first = await timed(tree);
  const second = await timed(tree);
  narrator.found('directory_tree of 1,000 files, first call', milliseconds(first.took));
  narrator.found(
    'the same call again',
    `${milliseconds(second.took)}, ${(first.took / second.took).toFixed(0)} times faster`,
  );
  const path = join(folder, 'archive', 'new.txt');
  const crowd = await timed(() =>
    Promise.all(
      Array.from({ length: 50 }, () => store.callTool('files__list_directory', { path: join(folder, 'archive') })),
    ),
  );
  narrator.found('50 callers at once, one call to the server', milliseconds(crowd.took));
  await store.callTool('files__write_file', { path, content: 'new' });
  const after = await tree();
  narrator.found('the new file shows after a write', String(JSON.stringify(after.content).includes('new.txt')));
  const { cache: stats } = store.stats();
  narrator.found('hit ratio since the start', stats.hitRatio === null ? '–' : `${(stats.hitRatio * 100).toFixed(1)} %`);
  narrator.found('bytes held before / now', `${before.bytes} / ${stats.bytes}`);
}
