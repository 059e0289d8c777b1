import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FunctionRecord } from '../src/function-record.ts';
import { RunningCall } from '../src/running-call.ts';

interface Modelled {
  readonly call: RunningCall;
  readonly record: FunctionRecord;
  readonly from: Modelled | undefined;
  readonly start: number;
  readonly counted: boolean;
  open: boolean;
  busy: number;
}

type Step =
  | { readonly do: 'begin'; readonly from: number; readonly record: number }
  | { readonly do: 'end'; readonly which: number }
  | { readonly do: 'wait'; readonly time: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const), from: fc.nat(30), record: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), time: fc.nat(10) }) },
);

/** What the documentation says, written down without links that change. */
class Model {
  readonly calls: Modelled[] = [];
  readonly #records = ['a', 'b', 'c', 'd'].map((name) => new FunctionRecord(name));
  #now = 0;

  *#ancestors(from: Modelled | undefined): Generator<Modelled> {
    for (let at = from; at !== undefined; at = at.from) if (at.open) yield at;
  }

  begin(from: Modelled | undefined, recordIndex: number): void {
    const record = this.#records[recordIndex]!;
    const counted = ![...this.#ancestors(from)].some((each) => each.counted && each.record === record);
    const call = new RunningCall(record, from?.call, { now: this.#now, timed: true });
    expect(call.counted).toBe(counted);
    this.calls.push({ call, record, from, start: this.#now, counted, open: true, busy: 0 });
  }

  end(which: Modelled): void {
    expect(which.call.close(this.#now)).toBe(which.open);
    if (!which.open) return;
    which.open = false;
    expect(which.call.total).toBe(this.#now - which.start);
    expect(which.call.self).toBe(this.#now - which.start - which.busy);
  }

  wait(time: number): void {
    this.#now += time;
    const busy = new Set<Modelled>();
    for (const each of this.calls) {
      if (!each.open) continue;
      const [parent] = this.#ancestors(each.from);
      if (parent !== undefined) busy.add(parent);
    }
    for (const each of busy) each.busy += time;
  }
}

test('whatever begins and ends in whatever order, self time is the time without an open call inside', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const model = new Model();
      for (const each of steps) {
        const pick = (index: number): Modelled | undefined => model.calls[index % (model.calls.length + 1)];
        if (each.do === 'wait') model.wait(each.time);
        else if (each.do === 'begin') model.begin(pick(each.from), each.record);
        else {
          const which = pick(each.which);
          if (which !== undefined) model.end(which);
        }
      }
      for (const each of model.calls) if (each.open) model.end(each);
    }),
    { numRuns: 500 },
  );
});

test('a clock that goes back or breaks makes no time negative', () => {
  const record = new FunctionRecord('f');
  for (const end of [5, NaN, Infinity, -Infinity]) {
    const outer = new RunningCall(record, undefined, { now: 10, timed: true });
    const inner = new RunningCall(record, outer, { now: 12, timed: true });
    inner.close(end);
    outer.close(end);
    expect([inner.total, inner.self, outer.total, outer.self]).toEqual([0, 0, 0, 0]);
  }
});
