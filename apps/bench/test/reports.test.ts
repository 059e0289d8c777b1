import { expect, test, vi } from 'vitest';
import { entrySize } from '../src/entry-size/entry-size.ts';
import { insertTables } from '../src/report.ts';
import { REPORTS } from '../src/reports.ts';

test('hit ratios are measured on generated traces alone where there are no real ones, and it says so', () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const text = REPORTS['hit-ratio']?.measure({ traces: undefined, smoke: true, onProgress: () => {} });
  expect(text).toContain('| shifting-zipf |');
  expect(error).toHaveBeenCalledWith(expect.stringContaining('PERF_TRACES'));
  error.mockRestore();
});

test('an entry has a size', () => {
  const { filled, churned } = entrySize('lru-cache', 20_000);
  expect(filled).toBeGreaterThan(20);
  expect(churned).toBeGreaterThan(20);
});

test('each report has a place of its own in a README', () => {
  const readme = '<!-- bench:start --><!-- bench:end -->\n<!-- hit-ratio:start -->\nold<!-- hit-ratio:end -->\n';
  expect(insertTables(readme, 'new\n', 'hit-ratio')).toBe(
    '<!-- bench:start --><!-- bench:end -->\n<!-- hit-ratio:start -->\nnew\n<!-- hit-ratio:end -->\n',
  );
});
