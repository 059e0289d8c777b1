import { type FunctionTime, type TopSort, topFunctions } from '../cpu/top-functions.ts';
import type { CpuProfile } from '../cpu/cpu-profile.ts';
import { locationOf } from '../cpu/profiled-function.ts';
import { type Column, formatDuration, formatTable } from '../format-table.ts';

const COLUMNS: readonly Column<FunctionTime>[] = [
  { title: 'self', cell: ({ self }) => formatDuration(self) },
  { title: '%', cell: ({ selfShare }) => percent(selfShare) },
  { title: 'total', cell: ({ total }) => formatDuration(total) },
  { title: '%', cell: ({ totalShare }) => percent(totalShare) },
  { title: 'function', cell: ({ name }) => name, align: 'left' },
  { title: 'location', cell: (fn) => locationOf(fn), align: 'left' },
];

/** The top functions of a profile as a table. */
export function topText(profile: CpuProfile, limit: number, sort: TopSort): string {
  return formatTable(topFunctions(profile, limit, sort), COLUMNS);
}

function percent(share: number): string {
  return (share * 100).toFixed(1);
}
