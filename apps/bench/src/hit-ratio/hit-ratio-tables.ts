import { beladyHits } from './belady.ts';
import { type Cell, mean, measureCell, sizesOf } from './cells.ts';
import { PEERS, hitRatio, oursByWeight } from './contenders.ts';
import { Lru } from './lru.ts';
import { S3Fifo } from './s3-fifo.ts';
import type { Trace } from './trace.ts';

/** The tables of hit ratios on these traces, in Markdown. */
export function hitRatioTables(traces: readonly Trace[], onProgress: (trace: string) => void = () => {}): string {
  const rows: string[] = [];
  const cells: Cell[] = [];
  const others: Cell[] = [];
  const weighted: string[] = [];
  for (const trace of traces) {
    onProgress(trace.name);
    for (const capacity of sizesOf(trace)) {
      const cell = measureCell(trace, capacity);
      cells.push(cell);
      rows.push(row(cell, (100 * beladyHits(trace, capacity)) / trace.requests.length));
    }
    const capacity = sizesOf(trace)[0] as number;
    for (const other of [Math.ceil(capacity / 4), Math.ceil(capacity / 2), capacity * 2]) {
      others.push(measureCell(trace, other));
    }
    weighted.push(weightedRow(trace, capacity));
  }
  return `${[
    '**Hits in per cent** of the requests',
    table(
      ['trace', 'entries', ...PEERS.map(({ name }) => name), '**adaptive**', 'Bélády’s bound'],
      [...rows, meanRow(cells)],
    ),
    summary(others),
    '**Hits by weight**: keys weigh 1 to 256, as the limit does; in per cent of the requests, and of the weight asked for',
    table(['trace', 'weight', 'LRU', 'S3-FIFO', '**adaptive**', 'LRU', 'S3-FIFO', '**adaptive**'], weighted),
  ].join('\n\n')}\n`;
}

function row({ trace, capacity, peers, ours }: Cell, bound: number): string {
  return line([trace, String(capacity), ...peers.map(show), `**${show(ours)}**`, show(bound)]);
}

function meanRow(cells: readonly Cell[]): string {
  const peers = PEERS.map((_, index) => mean(cells.map((cell) => cell.peers[index] as number)));
  return line(['mean', '', ...peers.map(show), `**${show(mean(cells.map(({ ours }) => ours)))}**`, '']);
}

/** What the other sizes say, in a sentence. */
function summary(cells: readonly Cell[]): string {
  const behind = cells.filter(({ peers, ours }) => ours < Math.max(...peers) - 1);
  const worst = behind
    .toSorted((a, b) => lead(a) - lead(b))
    .slice(0, 3)
    .map((cell) => `${cell.trace} at ${cell.capacity} by ${show(-lead(cell))}`);
  const peers = PEERS.map(
    ({ name }, index) => `${name} ${show(mean(cells.map((cell) => cell.peers[index] as number)))}`,
  );
  const found = behind.length === 0 ? 'never' : `in ${behind.length} (${worst.join(', ')})`;
  return `At a quarter, half and twice these sizes, ${cells.length} cases more: adaptive ${show(mean(cells.map(({ ours }) => ours)))} in the mean, ${peers.join(', ')}; more than a point behind the best of them ${found}.`;
}

function lead({ ours, peers }: Cell): number {
  return ours - Math.max(...peers);
}

function weightedRow(trace: Trace, capacity: number): string {
  const weights = weightsOf(trace.distinct);
  const limit = Math.round(capacity * mean([...weights]));
  const ratios = [
    new Lru(limit, trace.distinct, weights),
    new S3Fifo(limit, trace.distinct, weights),
    oursByWeight(limit, weights),
  ].map((policy) => hitRatio(trace, policy, weights));
  const columns = [...ratios.map(({ requests }) => show(requests)), ...ratios.map(({ weight }) => show(weight))];
  return line([
    trace.name,
    String(limit),
    ...columns.map((value, index) => (index % 3 === 2 ? `**${value}**` : value)),
  ]);
}

/** A weight for each key that depends on nothing but its number: a power of two from 1 to 256, each as likely. */
export function weightsOf(distinct: number): Uint32Array {
  return Uint32Array.from({ length: distinct }, (_, key) => {
    const mixed = Math.imul(key ^ (key >>> 15), 0x2c1b3c6d);
    return 2 ** ((mixed >>> 16) % 9);
  });
}

function table(head: readonly string[], rows: readonly string[]): string {
  return [line(head), `| --- |${' ---: |'.repeat(head.length - 1)}`, ...rows].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function show(percent: number): string {
  return percent.toFixed(2);
}
