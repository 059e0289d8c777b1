import { isDeepStrictEqual } from 'node:util';
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
  ['#1'],
  ['["1:a,]'],
  ['"a'],
  ['1:a'],
  ['', 'a'],
  ['a', ''],
  [['a', undefined]],
  [{ a: { b: 1 } }],
  [{ a: { b: 1 }, b: undefined }],
  [{ 'a:1,1:b': 2 }],
  [{ '': 1 }],
  [/a/gi],
  [/a,0/],
  [Object.assign(/a/g, { lastIndex: 1 })],
  [new Set([new Set()])],
  [new Set([1, 2])],
  [new Set([2, 1])],
  [new Map([[undefined, undefined]])],
  [new Map([[NaN, 1]])],
  [new Map([[0, 1]])],
  [new BigInt64Array(1)],
  [new BigUint64Array(1)],
  [new ArrayBuffer(0)],
  [new Uint8Array(0)],
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

  test('is the same if and only if two lists are equal in depth', () => {
    const leaf = fc.oneof(
      fc.constantFrom<unknown>(
        0,
        -0,
        NaN,
        1,
        1n,
        '',
        '0',
        'a',
        'a,b',
        'null',
        '#0',
        '"a',
        '\ud800',
        true,
        null,
        undefined,
      ),
      fc.anything({ maxDepth: 0, withBigInt: true, withDate: true, withTypedArray: true }),
    );
    // Few keys and shallow values, so that many pairs are equal, or nearly.
    const value = fc.anything({
      values: [leaf, leaf],
      key: fc.constantFrom('a', 'b', 'a,b', '1'),
      maxDepth: 2,
      maxKeys: 2,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
    });
    const list = fc.array(value, { maxLength: 2 });
    const pair = fc.oneof(
      fc.tuple(list, list),
      list.map((args): [unknown[], unknown[]] => [args, args.map(reordered)]),
    );
    let equal = 0;
    fc.assert(
      fc.property(pair, ([left, right]) => {
        const isEqual = isDeepStrictEqual(left.map(withOrder), right.map(withOrder));
        if (isEqual) equal++;
        expect(argumentKey(left) === argumentKey(right)).toBe(isEqual);
      }),
      { seed: 3, numRuns: 20_000 },
    );
    expect(equal).toBeGreaterThan(5_000);
  });

  test('is made of anything, or refused with a TypeError', () => {
    const value = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 3 }), (args) => {
        expect(tryKey(args)).toBe(tryKey(args.map(reordered)));
      }),
      { seed: 4, numRuns: 3_000 },
    );
  });

  test('reads getters and proxies as what they show', () => {
    const getter = {
      get a(): number {
        return 1;
      },
    };
    expect(argumentKey([getter])).toBe(argumentKey([{ a: 1 }]));
    expect(argumentKey([new Proxy({ a: 1 }, {})])).toBe(argumentKey([{ a: 1 }]));
    expect(argumentKey([new Proxy([1], {})])).toBe(argumentKey([[1]]));
    const hidden = new Proxy({ a: 1 }, { get: () => 2 });
    expect(argumentKey([hidden])).toBe(argumentKey([{ a: 2 }]));
    const failing = {
      get a(): never {
        throw new RangeError('no');
      },
    };
    expect(() => argumentKey([failing])).toThrow(new RangeError('no'));
  });

  test('nests 500 deep, and says so past that', () => {
    const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
      let value: unknown = 1;
      for (let level = 0; level < depth; level++) value = wrap(value);
      return value;
    };
    const wraps: ((inner: unknown) => unknown)[] = [
      (a) => [a],
      (a) => ({ a }),
      (a) => new Map([[a, a]]),
      (a) => new Set([a]),
    ];
    for (const wrap of wraps.filter((each) => !(each(1) instanceof Map))) {
      expect(argumentKey([nested(500, wrap)])).toBe(argumentKey([nested(500, wrap)]));
    }
    for (const wrap of wraps) {
      for (const depth of [501, 100_000]) {
        expect(() => argumentKey([nested(depth, wrap)])).toThrow(
          /more than 500 objects inside of each other: pass a `key`/,
        );
      }
    }
  });

  test('takes long lists and large values', () => {
    const long = Array.from({ length: 200_000 }, (_, index) => index);
    expect(argumentKey(long)).not.toBe(argumentKey(long.with(-1, -1)));
    expect(argumentKey([long])).not.toBe(argumentKey(long));
    const bytes = new Uint8Array(1_000_000);
    expect(argumentKey([bytes])).not.toBe(argumentKey([bytes.with(-1, 1)]));
    const text = 'x'.repeat(1_000_000);
    expect(argumentKey([text])).not.toBe(argumentKey([`${text}x`]));
  });

  test('400 000 ids have 400 000 keys', () => {
    const keys = new Set<string>();
    for (let id = 0; id < 400_000; id++) keys.add(argumentKey([`user-${id.toString(36)}`]));
    expect(keys.size).toBe(400_000);
    for (let id = 0; id < 400_000; id++) keys.add(argumentKey([id])).add(argumentKey(['user', id]));
    expect(keys.size).toBe(1_200_000);
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
    ['a typed array with a member of its own', Object.assign(new Uint8Array(1), { extra: 1 })],
    ['a DataView with a member of its own', Object.assign(new DataView(new ArrayBuffer(1)), { extra: 1 })],
    ['an object that only inherits from Array', Object.create(Array.prototype)],
    ['a SharedArrayBuffer', new SharedArrayBuffer(1)],
    ['a boxed string', Object('s')],
    ['a boxed bigint', Object(1n)],
    [
      'arguments',
      (function () {
        return arguments;
      })(),
    ], // eslint-disable-line
    ['an array with a member of its own', Object.assign([1], { extra: 1 })],
    ['an array with a hole', [, 1]], // eslint-disable-line no-sparse-arrays
    ['an array with a hole and a member of its own', Object.assign([, 1], { name: 'x' })], // eslint-disable-line no-sparse-arrays
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

/** The same value, with the members of all objects in the opposite order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) {
    // Holes stay where they are.
    const copy: unknown[] = [];
    copy.length = value.length;
    for (const key of Object.keys(value)) copy[Number(key)] = reordered(value[Number(key)]);
    return copy;
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [reordered(key), reordered(item)]));
  if (value instanceof Set) return new Set([...value].map(reordered));
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy = Object.create(prototype as object | null) as Record<string, unknown>;
  for (const key of Object.keys(value).toReversed()) {
    const item = reordered((value as Record<string, unknown>)[key]);
    Object.defineProperty(copy, key, { value: item, enumerable: true, configurable: true, writable: true });
  }
  return copy;
}

/** For a comparison that would not look at the order of a Map or a Set. */
function withOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withOrder);
  if (value instanceof Map)
    return new Boxed(
      'Map',
      [...value].map(([key, item]) => [withOrder(key), withOrder(item)]),
    );
  if (value instanceof Set) return new Boxed('Set', [...value].map(withOrder));
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy = Object.create(prototype as object | null) as Record<string, unknown>;
  for (const key of Object.keys(value)) copy[key] = withOrder((value as Record<string, unknown>)[key]);
  return copy;
}

class Boxed {
  readonly kind: string;
  readonly items: unknown[];
  constructor(kind: string, items: unknown[]) {
    this.kind = kind;
    this.items = items;
  }
}

function tryKey(args: unknown[]): string | undefined {
  try {
    return argumentKey(args);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return undefined;
  }
}
