import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeakValueMap } from '../src/index.ts';
import { collectGarbage, runFinalizers } from './support/collect-garbage.ts';

interface Doc {
  text: string;
}

/** Sets in a function of its own, so that no register of the test holds the value. */
function setAll(map: WeakValueMap<string, Doc>, keys: readonly string[]): void {
  for (const key of keys) map.set(key, { text: key });
}

describe('WeakValueMap', () => {
  test('answers like a Map while the values live', () => {
    const one: Doc = { text: 'one' };
    const two: Doc = { text: 'two' };
    const map = new WeakValueMap<string, Doc>([['a', one]]);
    expect(map.set('b', two)).toBe(map);
    expect([...map]).toEqual([
      ['a', one],
      ['b', two],
    ]);
    expect([...map.keys()]).toEqual(['a', 'b']);
    expect([...map.values()]).toEqual([one, two]);
    expect(map.has('a')).toBe(true);
    expect(map.get('missing')).toBeUndefined();
    expect(map.size).toBe(2);
    expect(map.delete('a')).toBe(true);
    expect(map.delete('a')).toBe(false);
    map.clear();
    expect(map.size).toBe(0);
    expect(map.stats()).toEqual({ entries: 0, hits: 1, misses: 1, collected: 0 });
    void one;
  });

  test('lets go of keys and values nobody else holds', async () => {
    const map = new WeakValueMap<string, Doc>();
    const kept = { text: 'kept' };
    map.set('kept', kept);
    setAll(map, ['a', 'b', 'c']);
    await collectGarbage();
    await runFinalizers(() => map.stats().entries === 1);
    expect(map.stats()).toMatchObject({ entries: 1, collected: 3 });
    expect(map.get('kept')).toBe(kept);
  });

  test('size and order are right before any finalizer has run', async () => {
    const map = new WeakValueMap<string, Doc>();
    const first = { text: 'first' };
    const last = { text: 'last' };
    map.set('first', first);
    setAll(
      map,
      Array.from({ length: 100 }, (_, index) => `dead ${index}`),
    );
    map.set('last', last);
    await collectGarbage();
    expect(map.stats().entries).toBe(102);
    expect([...map.keys()]).toEqual(['first', 'last']);
    expect(map.size).toBe(2);
    expect(map.stats()).toMatchObject({ entries: 2, collected: 100 });
    await runFinalizers(() => false);
    expect(map.stats()).toMatchObject({ entries: 2, collected: 100 });
    expect([first, last]).toHaveLength(2);
  });

  test('a late finalizer leaves a newer value under the same key alone', async () => {
    const map = new WeakValueMap<string, Doc>();
    setAll(map, ['again', 'deleted']);
    await collectGarbage();
    const next = { text: 'next' };
    map.delete('deleted');
    map.set('deleted', next);
    map.set('again', next);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(map.get('again')).toBe(next);
    expect(map.get('deleted')).toBe(next);
    expect(map.size).toBe(2);
  });

  test('a key whose value died goes to the end when it is set again, a live one keeps its place', async () => {
    const map = new WeakValueMap<string, Doc>();
    const held = { text: 'held' };
    setAll(map, ['dead']);
    map.set('live', held);
    await collectGarbage();
    map.set('dead', held).set('live', { text: 'new' });
    expect([...map.keys()]).toEqual(['live', 'dead']);
  });

  test('one value under two keys: each entry stands for itself', async () => {
    const map = new WeakValueMap<string, Doc>();
    (() => {
      const shared = { text: 'shared' };
      map.set('a', shared).set('b', shared).set('a', shared);
    })();
    map.delete('a');
    expect(map.size).toBe(1);
    await collectGarbage();
    await runFinalizers(() => map.stats().entries === 0);
    expect(map.stats().entries).toBe(0);
  });

  test('a key is let go of when its entry is replaced or deleted', async () => {
    const value = { text: 'lives on' };
    const map = new WeakValueMap<object, Doc>();
    const keys = (() => {
      const deleted = {};
      const cleared = {};
      map.set(deleted, value).set(cleared, value);
      map.delete(deleted);
      map.clear();
      return [new WeakRef(deleted), new WeakRef(cleared)];
    })();
    await collectGarbage();
    expect(keys.map((key) => key.deref())).toEqual([undefined, undefined]);
    expect(value.text).toBe('lives on');
  });

  test('the map itself can be collected while its values live', async () => {
    const value = { text: 'lives on' };
    const map = (() => new WeakRef(new WeakValueMap([['a', value]])))();
    await collectGarbage();
    expect(map.deref()).toBeUndefined();
    expect(value.text).toBe('lives on');
  });

  test.each([undefined, null, 1, 'text', Symbol('s')])('%o is no value, and nothing changes', (value) => {
    const map = new WeakValueMap<string, object>();
    const before = {};
    map.set('key', before);
    expect(() => map.set('key', value as unknown as object)).toThrow(TypeError);
    expect(map.get('key')).toBe(before);
  });

  test('takes keys that are hard to compare', () => {
    const map = new WeakValueMap<unknown, Doc>();
    const doc = { text: 'x' };
    map.set(Number.NaN, doc).set(-0, doc).set(undefined, doc);
    expect([map.get(Number.NaN), map.get(0), map.get(undefined)]).toEqual([doc, doc, doc]);
  });

  test('is safe to change while it is walked over', () => {
    const docs = Array.from({ length: 5 }, (_, index) => ({ text: String(index) }));
    const map = new WeakValueMap(docs.map((doc) => [doc.text, doc]));
    const seen: string[] = [];
    for (const [key] of map) {
      seen.push(key);
      map.delete('3');
    }
    expect(seen).toEqual(['0', '1', '2', '4']);
  });
});

test('while every value is held it behaves like a Map, whatever is done', () => {
  const step = fc.record({
    do: fc.constantFrom('set' as const, 'delete' as const, 'get' as const, 'clear' as const),
    key: fc.nat({ max: 5 }),
    value: fc.nat({ max: 3 }),
  });
  const values = Array.from({ length: 4 }, (_, index) => ({ index }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new WeakValueMap<number, object>();
      const model = new Map<number, object>();
      for (const each of steps) {
        if (each.do === 'set') {
          map.set(each.key, values[each.value] as object);
          model.set(each.key, values[each.value] as object);
        } else if (each.do === 'delete') expect(map.delete(each.key)).toBe(model.delete(each.key));
        else if (each.do === 'clear') {
          map.clear();
          model.clear();
        } else expect(map.get(each.key)).toBe(model.get(each.key));
        expect([...map]).toEqual([...model]);
        expect(map.size).toBe(model.size);
      }
    }),
  );
});
