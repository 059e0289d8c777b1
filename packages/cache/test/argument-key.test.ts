import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { argumentKey } from '../src/argument-key.ts';

/** Lists of which no two are equal. */
const different: unknown[][] = [
  [],
  [undefined],
  [undefined, undefined],
  [null],
  ['null'],
  ['undefined'],
  [0],
  [-0],
  ['0'],
  [0n],
  ['0n'],
  [1],
  ['1'],
  [NaN],
  ['NaN'],
  [Infinity],
  [true],
  ['true'],
  [''],
  ['', ''],
  ['a,b'],
  ['a', 'b'],
  [['a', 'b']],
  [['a'], 'b'],
  [[]],
  [{}],
  [[{}]],
  [{ a: 1 }],
  [{ a: '1' }],
  [{ a: undefined }],
  [{ a: 1, b: 2 }],
  [{ 'a:1,"b"': 2 }],
  [Object.assign(Object.create(null) as object, { a: 1 })],
  [new Map()],
  [new Map([['a', 1]])],
  [
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  ],
  [
    new Map([
      ['b', 2],
      ['a', 1],
    ]),
  ],
  [new Map([[['a', 1], undefined]])],
  [new Set()],
  [new Set(['a'])],
  [new Set([['a', 1]])],
  [new Date(0)],
  [new Date(1)],
  [new Date(NaN)],
  ['1970-01-01T00:00:00.000Z'],
  [/a/],
  [/a/g],
  ['/a/'],
  [new URL('http://host/')],
  ['http://host/'],
  [new Uint8Array([1, 2])],
  [new Uint8Array([1, 2, 0])],
  [new Uint16Array([513])],
  [new Int8Array([1, 2])],
  [Buffer.from([1, 2])],
  [new DataView(new Uint8Array([1, 2]).buffer)],
  [new Uint8Array([1, 2]).buffer],
  [new Float64Array([0])],
  [new Float64Array([-0])],
  ['ключ'],
  ['\ud800'],
  ['\ud801'],
  ['"'],
  ['\\"'],
];

describe('the key of an argument list', () => {
  test('differs where the lists do', () => {
    const keys = different.map(argumentKey);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('does not depend on the order in which members were added', () => {
    expect(argumentKey([{ a: 1, b: { c: 2, d: 3 } }])).toBe(argumentKey([{ b: { d: 3, c: 2 }, a: 1 }]));
  });

  test('depends on values, not on identity', () => {
    const make = (): unknown[] => [
      { list: [new Map([['k', new Set([1n])]])], when: new Date(5), at: new URL('http://h/') },
    ];
    expect(argumentKey(make())).toBe(argumentKey(make()));
    const shared = { a: 1 };
    expect(argumentKey([shared, shared])).toBe(argumentKey([{ a: 1 }, { a: 1 }]));
  });

  test('reads the part of a buffer that a view shows', () => {
    const { buffer } = new Uint8Array([9, 1, 2, 9]);
    expect(argumentKey([new Uint8Array(buffer, 1, 2)])).toBe(argumentKey([new Uint8Array([1, 2])]));
  });

  test('is the same for equal lists, and different for different ones', () => {
    const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 3 }), fc.array(value, { maxLength: 3 }), (left, right) => {
        const [one, other] = [tryKey(left), tryKey(right)];
        if (one === undefined || other === undefined) return;
        // JSON-like text of the same values: equal keys must mean equal values.
        if (one === other) expect(left).toStrictEqual(right);
        expect(tryKey(structuredClone(left))).toBe(tryKey(structuredClone(left)));
      }),
      { seed: 3, numRuns: 3_000 },
    );
  });

  test('400 000 ids have 400 000 keys', () => {
    const keys = new Set<string>();
    for (let id = 0; id < 400_000; id++) keys.add(argumentKey([`user-${id.toString(36)}`]));
    expect(keys.size).toBe(400_000);
  });

  class Point {
    x = 1;
  }
  class Tagged extends Map<string, number> {}
  const cycle: unknown[] = [];
  cycle.push({ cycle });
  test.each([
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['an instance of a class', new Point()],
    ['an instance of a subclass', new Tagged()],
    ['a Map with a member of its own', Object.assign(new Map(), { extra: 1 })],
    ['a Date with a member of its own', Object.assign(new Date(0), { extra: 1 })],
    ['an array with a member of its own', Object.assign([1], { extra: 1 })],
    ['an array with a hole', [, 1]], // eslint-disable-line no-sparse-arrays
    ['an object with a symbol member', { [Symbol('s')]: 1 }],
    ['an object with a prototype', Object.create({ inherited: 1 })],
    ['an error', new Error('e')],
    ['a promise', Promise.resolve()],
    ['a WeakMap', new WeakMap()],
    ['a boxed number', Object(1)],
    ['an AbortSignal', new AbortController().signal],
    ['a cycle', cycle],
    ['globalThis', globalThis],
  ])('cannot be made of %s', (_what, value) => {
    expect(() => argumentKey([value])).toThrow(TypeError);
    expect(() => argumentKey([{ deep: [value] }])).toThrow(/pass a `key` function/);
  });
});

function tryKey(args: unknown[]): string | undefined {
  try {
    return argumentKey(args);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return undefined;
  }
}
