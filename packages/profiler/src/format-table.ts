/** A column of a text table. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** @default 'right' */
  readonly align?: 'left' | 'right';
}

/** Rows under their titles, aligned by spaces; nothing that a name contains can break the layout. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => printable(cell(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] as string).length)));
  const lines = cells.map((line) =>
    line.map((text, i) =>
      columns[i]?.align === 'left' ? text.padEnd(widths[i] as number) : text.padStart(widths[i] as number),
    ),
  );
  return lines.map((line) => line.join('  ').trimEnd()).join('\n');
}

function printable(text: string): string {
  // Names come from programs: control characters would move the cursor or colour the terminal.
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

/** A duration of `ms` milliseconds with a unit and three digits: `1.23 ms`. */
export function formatDuration(ms: number): string {
  if (Number.isNaN(ms)) return '-';
  if (ms === 0) return '0';
  const [value, unit] =
    ms >= 59_995
      ? [ms / 60_000, 'min']
      : ms >= 999.5
        ? [ms / 1000, 's']
        : ms >= 0.9995
          ? [ms, 'ms']
          : ms >= 0.0009995
            ? [ms * 1000, 'us']
            : [ms * 1e6, 'ns'];
  return `${value >= 999.5 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}
