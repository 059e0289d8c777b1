import { checkLimit, checkOneOf, checkOptions } from '@perf/core';
import { type Column, formatDuration, formatTable } from './format-table.ts';
import type { FunctionReport } from './function-report.ts';

const SORTS = ['total', 'self', 'calls', 'errors', 'mean', 'max', 'p50', 'p95', 'p99'] as const;

/** What a report may be sorted by, most first. */
export type ReportSort = (typeof SORTS)[number];

/** Options of {@link Profiler.toText}. */
export interface ReportTextOptions {
  /** @default 'total' */
  readonly sort?: ReportSort;
  /** How many functions to show; `Infinity` for all. @default 20 */
  readonly limit?: number;
}

const COLUMNS: readonly Column<FunctionReport>[] = [
  { title: 'function', cell: ({ name }) => name, align: 'left' },
  { title: 'calls', cell: ({ calls }) => String(calls) },
  { title: 'errors', cell: ({ errors }) => String(errors) },
  ...(['total', 'self', 'mean', 'p50', 'p95', 'p99', 'max'] as const).map((field) => ({
    title: field,
    cell: (report: FunctionReport) => formatDuration(report[field]),
  })),
];

/** A table of the functions, largest first, and a last line that says what it leaves out. */
export function reportText(
  reports: readonly FunctionReport[],
  sampleRate: number,
  options: ReportTextOptions = {},
): string {
  checkOptions('toText', options, ['sort', 'limit']);
  const { sort = 'total', limit = 20 } = options;
  checkOneOf('sort', sort, SORTS);
  checkLimit('limit', limit);
  if (reports.length === 0) return 'no calls yet';
  // A function that has not finished yet has no durations: it goes last.
  const rank = (report: FunctionReport): number => (Number.isNaN(report[sort]) ? -1 : report[sort]);
  const sorted = [...reports].sort((a, b) => rank(b) - rank(a));
  const lines = [formatTable(sorted.slice(0, limit), COLUMNS)];
  if (sorted.length > limit) lines.push(`and ${sorted.length - limit} more`);
  if (sampleRate < 1) lines.push(`sampled: ${sampleRate * 100} % of the calls were timed, totals are estimates`);
  return lines.join('\n');
}
