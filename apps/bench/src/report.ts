import type { ComparisonResult, ContenderResult } from './runner.ts';

/** The Markdown tables of one package's comparisons. */
export function toMarkdown(results: readonly ComparisonResult[], machine: string): string {
  const tables = results.map((result) => `**${result.title}** (time per ${result.unit})\n\n${table(result)}`);
  return `${tables.join('\n\n')}\n\n${machine}. Medians of ${results[0]?.rounds ?? 0} interleaved rounds, quartiles in brackets; "times ours" above 1 is slower than ours. Differences under 15 % are noise.\n`;
}

function table({ contenders }: ComparisonResult): string {
  const rows = contenders.map(
    (each) => `| ${each.ours ? `**${each.name}**` : each.name} | ${time(each)} | ${relative(each)} |`,
  );
  return ['| | time | times ours |', '| --- | ---: | ---: |', ...rows].join('\n');
}

function time({ nanoseconds: { median, lowerQuartile, upperQuartile } }: ContenderResult): string {
  const { divisor, unit } = scale(median);
  // Three digits, and none of the exponents that toPrecision() writes from a thousand on.
  const show = (value: number): string => String(Number((value / divisor).toPrecision(3)));
  return `${show(median)} ${unit} [${show(lowerQuartile)}–${show(upperQuartile)}]`;
}

function scale(nanoseconds: number): { divisor: number; unit: string } {
  if (nanoseconds < 1e3) return { divisor: 1, unit: 'ns' };
  if (nanoseconds < 1e6) return { divisor: 1e3, unit: 'µs' };
  return { divisor: 1e6, unit: 'ms' };
}

function relative(each: ContenderResult): string {
  return each.relative === undefined || each.ours ? '' : `${each.relative.median.toFixed(2)}×`;
}

/** Puts `tables` between the markers `<!-- bench:start -->` and `<!-- bench:end -->` of a README, or those of another name. */
export function insertTables(readme: string, tables: string, marker = 'bench'): string {
  const start = `<!-- ${marker}:start -->`;
  const end = `<!-- ${marker}:end -->`;
  const from = readme.indexOf(start);
  const to = readme.indexOf(end);
  if (from === -1 || to < from) throw new Error(`the README has no ${start} … ${end}`);
  return `${readme.slice(0, from + start.length)}\n${tables}${readme.slice(to)}`;
}
