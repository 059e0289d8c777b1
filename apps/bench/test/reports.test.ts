import { describe, expect, test, vi } from 'vitest';
import { entrySize } from '../src/entry-size/entry-size.ts';
import { REPORTS } from '../src/reports.ts';

const SMOKE = { rounds: 1, traces: undefined, smoke: true, onProgress: () => {} };

describe.each(Object.entries(REPORTS))('the report %s', (_name, load) => {
  test('has tables', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(await (await load()).run(SMOKE)).toMatch(/\| ---.*\n\| /);
    error.mockRestore();
  });
});

test('hit ratios are measured on generated traces alone where there are no real ones, and it says so', async () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const report = await REPORTS['hit-ratio']?.();
  expect(await report?.run(SMOKE)).toContain('| shifting-zipf |');
  expect(error).toHaveBeenCalledWith(expect.stringContaining('PERF_TRACES'));
  error.mockRestore();
});

test('an entry has a size', () => {
  const { filled, churned } = entrySize('lru-cache', 20_000);
  expect(filled).toBeGreaterThan(20);
  expect(churned).toBeGreaterThan(20);
});
