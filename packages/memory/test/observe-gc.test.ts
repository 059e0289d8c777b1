import { constants } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { gcKind } from '../src/gc-kind.ts';
import { type GcEvent, observeGc } from '../src/index.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as (options?: { type: 'minor' | 'major' }) => void;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets the collections of before be delivered to those who watched then. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn();
}

test('counts every collection, also several in one turn of the event loop, by kind', async () => {
  await settle();
  const events: GcEvent[] = [];
  await using observer = observeGc({ onGc: (event) => events.push(event) });
  for (let index = 0; index < 7; index++) gc({ type: 'major' });
  for (let index = 0; index < 3; index++) gc({ type: 'minor' });
  await settle();
  const forced = events.filter((event) => event.forced);
  expect(forced.filter((event) => event.kind === 'major')).toHaveLength(7);
  expect(forced.filter((event) => event.kind === 'minor')).toHaveLength(3);
  const stats = observer.stats();
  expect(stats.kinds.major.count).toBeGreaterThanOrEqual(7);
  expect(stats.count).toBe(events.length);
  expect(stats.total).toBeCloseTo(
    events.reduce((sum, event) => sum + event.duration, 0),
    6,
  );
  expect(stats.kinds.major.max).toBeGreaterThanOrEqual(stats.kinds.major.p50);
  expect(stats.share).toBeGreaterThan(0);
  expect(stats.share).toBeLessThanOrEqual(1);
  expect(observer.histogram('major').count).toBe(stats.kinds.major.count);
});

test('after close nothing is counted, and what was is kept', async () => {
  await settle();
  const onGc = vi.fn();
  const observer = observeGc({ onGc });
  gc();
  await settle();
  await observer.close();
  await observer.close();
  const { count } = observer.stats();
  expect(count).toBeGreaterThanOrEqual(1);
  const calls = onGc.mock.calls.length;
  expect(calls).toBe(count);
  gc();
  await settle();
  expect(observer.stats().count).toBe(count);
  expect(onGc).toHaveBeenCalledTimes(calls);
  expect(observer.closed).toBe(true);
});

test('an onGc that throws is reported, and counting goes on', async () => {
  await settle();
  const onError = vi.fn();
  await using observer = observeGc({
    onGc: () => {
      throw new Error('boom');
    },
    onError,
  });
  gc();
  gc();
  await settle();
  expect(observer.stats().count).toBeGreaterThanOrEqual(2);
  expect(onError).toHaveBeenCalledWith(new Error('boom'), { component: 'observeGc', callback: 'onGc' });
});

test('each kind of V8 has a name, and one it may add is kept as unknown', () => {
  expect(gcKind(constants.NODE_PERFORMANCE_GC_MAJOR)).toBe('major');
  expect(gcKind(constants.NODE_PERFORMANCE_GC_MINOR)).toBe('minor');
  expect(gcKind(2)).toBe('minor');
  expect(gcKind(constants.NODE_PERFORMANCE_GC_INCREMENTAL)).toBe('incremental');
  expect(gcKind(constants.NODE_PERFORMANCE_GC_WEAKCB)).toBe('weakcb');
  expect(gcKind(512)).toBe('unknown');
});

test('options that make no sense are refused', () => {
  expect(() => observeGc({ onGC: 1 } as never)).toThrow('observeGc has no option `onGC`');
  expect(() => observeGc({ onGc: 1 } as never)).toThrow('`onGc` must be a function, got 1');
});
