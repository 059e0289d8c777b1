import type { CpuProfile } from '../cpu/cpu-profile.ts';
import { share } from '../cpu/top-functions.ts';
import { walkStacks } from '../cpu/walk-stacks.ts';
import { formatDuration } from '../format-table.ts';
import { escapeHtml } from './escape-html.ts';
import { flameLayout } from './flame-layout.ts';
import { type FlameNode, flameDiffTree } from './flame-node.ts';
import { flamePage } from './flame-page.ts';
import { type FlameGraphOptions, titleOf } from './render-flame-graph.ts';

const CHANGES_SHOWN = 50;

/**
 * A flame graph of `after`, red where its share of the busy time grew against `before` and blue where it shrank, and a table of the functions whose own
 * share changed most, vanished ones included. One HTML file that needs nothing else.
 *
 * It shows where time moved to, not whether the whole became faster: that is what {@link compare} is for.
 *
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when a profile contradicts itself
 */
export function renderDiff(before: CpuProfile, after: CpuProfile, options: FlameGraphOptions = {}): string {
  const title = titleOf('renderDiff', options, 'CPU profile: before and after');
  const root = flameDiffTree(before, after);
  const caption = `${formatDuration(root.total)} of work after; red: larger share than before, blue: smaller`;
  return flamePage({ title, caption, layout: flameLayout(root), diff: true, below: changesTable(root) });
}

interface Change {
  readonly name: string;
  readonly location: string;
  before: number;
  after: number;
}

function changesTable(root: FlameNode): string {
  const changes = new Map<string, Change>();
  walkStacks([root], {
    enter({ name, location, self, beforeSelf }) {
      const key = `${name}\n${location}`;
      let change = changes.get(key);
      if (change === undefined) changes.set(key, (change = { name, location, before: 0, after: 0 }));
      change.before += share(beforeSelf, root.beforeTotal);
      change.after += share(self, root.total);
    },
    leave: () => undefined,
  });
  const size = ({ before, after }: Change): number => Math.abs(after - before);
  const rows = [...changes.values()]
    .filter((change) => size(change) > 0)
    .sort((a, b) => size(b) - size(a))
    .slice(0, CHANGES_SHOWN)
    .map(changeRow);
  return `<details open><summary>Largest changes of self time, by share of busy time</summary>
<table><thead><tr><th>Function</th><th>Before</th><th>After</th><th>Change</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></details>`;
}

function changeRow({ name, location, before, after }: Change): string {
  const delta = after - before;
  const sign = delta > 0 ? '+' : '';
  return `<tr><td>${escapeHtml(name)} <small>${escapeHtml(location)}</small></td><td>${percent(before)}</td><td>${percent(after)}</td><td>${sign}${percent(delta)}</td></tr>`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(2)} %`;
}
