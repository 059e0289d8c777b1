import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Profiler, renderFlameGraph, startCpuProfile, topFunctions } from '@perf/profiler';
import { type Narrator, milliseconds } from './narrator.ts';
import type { Workspace } from './workspace.ts';

const CALLS = 10;

/** Monitoring: where the time goes, the biggest first. */
export async function profiler(narrator: Narrator, { folder, store }: Workspace, out: string): Promise<void> {
  narrator.stop(`Profiler: ${CALLS} list_directory calls, the hottest functions, a flame graph`);
  const mine = new Profiler({ name: 'tour' });
  const list = mine.wrap((path: string) => store.callTool('files__list_directory', { path }), {
    name: 'list_directory',
  });
  const recording = startCpuProfile({ interval: 0.2 });
  // Different folders, so that each call reaches the server.
  for (let index = 0; index < CALLS; index++) await list(join(folder, 'archive', `week-${index}`));
  const profile = recording.stop();
  await mine.close();
  const report = mine.report('list_directory');
  if (report === undefined) throw new Error('the calls were not recorded');
  narrator.found('list_directory: calls / errors', `${report.calls} / ${report.errors}`);
  narrator.found(
    'mean / p50 / p95 / max',
    [report.mean, report.p50, report.p95, report.max].map(milliseconds).join(' / '),
  );
  narrator.say('');
  narrator.show(store.profiler.toText({ limit: 8 }));
  narrator.say('');
  narrator.say('Hottest functions of this process during the calls, by their own time:');
  for (const { name, self } of topFunctions(profile, 5)) narrator.found(`  ${name}`, milliseconds(self));
  const file = resolve(join(out, 'list-directory.html'));
  await writeFile(file, renderFlameGraph(profile, { title: 'list_directory through the gateway' }));
  narrator.found('flame graph', file);
}
