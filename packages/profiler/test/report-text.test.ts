import { ManualClock } from '@perf/testkit';
import { expect, test } from 'vitest';
import { Profiler } from '../src/index.ts';

function measured(): Profiler {
  const clock = new ManualClock();
  const profiler = new Profiler({ clock });
  for (const [name, ms, times] of [
    ['rare and slow', 2500, 1],
    ['frequent', 0.75, 100],
    ['evil\u001B[31m\nname', 0.0005, 2],
  ] as const) {
    for (let i = 0; i < times; i++) profiler.measure(name, () => clock.advance(ms));
  }
  return profiler;
}

test('a report is a table, most total time first', () => {
  const lines = measured().toText().split('\n');
  expect(lines[0]).toBe('function        calls  errors    total     self    mean     p50     p95     p99     max');
  expect(lines[1]).toBe('rare and slow       1       0   2.50 s   2.50 s  2.50 s  2.50 s  2.50 s  2.50 s  2.50 s');
  expect(lines[2]).toMatch(/^frequent {10}100 {7}0 {2}75\.0 ms/);
  expect(lines).toHaveLength(4);
});

test('a name cannot break the table or the terminal', () => {
  expect(measured().toText()).toContain('evil\u{fffd}[31m\u{fffd}name');
});

test('it can be sorted otherwise and cut short', () => {
  const text = measured().toText({ sort: 'calls', limit: 1 });
  expect(text.split('\n')[1]).toMatch(/^frequent/);
  expect(text).toMatch(/and 2 more$/);
});

test('a function that has not finished has no durations and goes last', () => {
  const profiler = measured();
  void profiler.measure('unfinished', () => new Promise(() => undefined));
  expect(profiler.toText({ sort: 'mean' }).split('\n').at(-1)).toMatch(/^unfinished +1 +0 +0 +0 +-/);
});

test('without calls it says so', () => {
  expect(new Profiler().toText()).toBe('no calls yet');
});
