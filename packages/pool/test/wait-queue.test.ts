import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WaitQueue, Waiting } from '../src/wait-queue.ts';

class Entry extends Waiting {
  readonly label: number;
  constructor(label: number) {
    super();
    this.label = label;
  }
}

function drain(queue: WaitQueue<Entry>): number[] {
  const labels: number[] = [];
  for (let entry = queue.shift(); entry; entry = queue.shift()) labels.push(entry.label);
  return labels;
}

test('equal priorities leave in the order they came, even at the same moment', () => {
  const queue = new WaitQueue<Entry>();
  for (let label = 0; label < 100; label++) queue.push(new Entry(label), 0, 5);
  expect(drain(queue)).toEqual(Array.from({ length: 100 }, (_, label) => label));
});

test('a point of priority is worth a second of waiting, so that a flood of urgent ones starves nobody', () => {
  const queue = new WaitQueue<Entry>();
  queue.push(new Entry(-1), 0, 0);
  for (let label = 0; label < 100; label++) queue.push(new Entry(label), 3, label * 100);
  // Those of the first 3 seconds go before it, the rest after it.
  expect(drain(queue).indexOf(-1)).toBe(30);
});

test('what is put back goes before all that came later', () => {
  const queue = new WaitQueue<Entry>();
  for (const label of [0, 1, 2]) queue.push(new Entry(label), 0, label);
  const first = queue.shift() as Entry;
  queue.push(new Entry(3), 0, 3);
  queue.restore(first);
  expect(drain(queue)).toEqual([0, 1, 2, 3]);
});

test('removing what is not there does nothing', () => {
  const queue = new WaitQueue<Entry>();
  const entry = new Entry(0);
  queue.remove(entry);
  queue.push(entry, 0, 0);
  queue.remove(entry);
  queue.remove(entry);
  expect(queue.size).toBe(0);
});

test('behaves like a sorted list under any mix of pushes, shifts and removals', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), priority: fc.integer({ min: -2, max: 2 }), pause: fc.nat(900) }),
    fc.record({ kind: fc.constant('shift' as const) }),
    fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new WaitQueue<Entry>();
      const model: { entry: Entry; rank: number }[] = [];
      let now = 0;
      for (const [label, each] of steps.entries()) {
        if (each.kind === 'push') {
          now += each.pause;
          const entry = new Entry(label);
          queue.push(entry, each.priority, now);
          model.push({ entry, rank: now - each.priority * 1_000 });
          model.sort((one, other) => one.rank - other.rank || one.entry.label - other.entry.label);
        } else if (each.kind === 'shift') expect(queue.shift()).toBe(model.shift()?.entry);
        else if (model.length > 0) {
          const [removed] = model.splice(each.at % model.length, 1);
          queue.remove((removed as { entry: Entry }).entry);
        }
        expect(queue.size).toBe(model.length);
        expect(queue.peek()).toBe(model[0]?.entry);
      }
    }),
  );
});

test('many that are put back, in any order, stand where they were', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 1, maxLength: 60 }),
      fc.nat(60),
      fc.infiniteStream(fc.nat()),
      (priorities, taken, picks) => {
        const queue = new WaitQueue<Entry>();
        for (const [label, priority] of priorities.entries()) queue.push(new Entry(label), priority, label * 100);
        const out: Entry[] = [];
        while (out.length < taken && queue.size > 0) out.push(queue.shift() as Entry);
        while (out.length > 0) queue.restore(out.splice((picks.next().value as number) % out.length, 1)[0] as Entry);
        const all = new WaitQueue<Entry>();
        for (const [label, priority] of priorities.entries()) all.push(new Entry(label), priority, label * 100);
        expect(drain(queue)).toEqual(drain(all));
      },
    ),
  );
});
