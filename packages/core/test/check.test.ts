import { describe, expect, test } from 'vitest';
import {
  checkBoolean,
  checkClock,
  checkCount,
  checkDuration,
  checkFunction,
  checkLimit,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  checkRange,
  checkSignal,
  type Clock,
} from '../src/index.ts';

describe('option checks', () => {
  test('return the value they accept', () => {
    const fn = (): void => {};
    expect(checkPositiveInteger('maxSize', 1)).toBe(1);
    expect(checkLimit('maxSize', Infinity)).toBe(Infinity);
    expect(checkCount('min', 0)).toBe(0);
    expect(checkDuration('ttl', 0.5)).toBe(0.5);
    expect(checkDuration('ttl', Infinity)).toBe(Infinity);
    expect(checkRange('share', 0.5, { min: 0, max: 1 })).toBe(0.5);
    expect(checkBoolean('force', false)).toBe(false);
    expect(checkName('name', 'users')).toBe('users');
    expect(checkFunction('create', fn)).toBe(fn);
    expect(checkOneOf('order', 'lifo', ['lifo', 'fifo'])).toBe('lifo');
    checkOptions('Pool', { max: 1 }, ['min', 'max']);
  });

  test.each([-1, 0, -0, 1.5, NaN, Infinity, 2 ** 53])(
    'refuse %d as a positive integer, naming option and value',
    (value) => {
      const shown = Object.is(value, -0) ? '-0' : String(value);
      expect(() => checkPositiveInteger('maxSize', value)).toThrow(
        new RangeError(`\`maxSize\` must be a positive integer, got ${shown}`),
      );
    },
  );

  test('tell a wrong type from a wrong number', () => {
    expect(() => checkPositiveInteger('maxSize', '10')).toThrow(
      new TypeError('`maxSize` must be a positive integer, got "10"'),
    );
    expect(() => checkDuration('ttl', 0)).toThrow(RangeError);
    expect(() => checkDuration('ttl', NaN)).toThrow(RangeError);
    expect(() => checkDuration('ttl', null)).toThrow(
      new TypeError('`ttl` must be a positive number of milliseconds or Infinity, got null'),
    );
    expect(() => checkLimit('maxQueue', 0)).toThrow(RangeError);
    expect(() => checkCount('min', -1)).toThrow(RangeError);
    expect(() => checkCount('min', 10n)).toThrow(new TypeError('`min` must be a non-negative integer, got 10n'));
    expect(() => checkRange('share', 1.01, { min: 0, max: 1 })).toThrow(
      new RangeError('`share` must be a number from 0 to 1, got 1.01'),
    );
    expect(() => checkBoolean('force', 0)).toThrow(TypeError);
    expect(() => checkName('name', '')).toThrow(new TypeError('`name` must be a non-empty string, got ""'));
    expect(() => checkFunction('create', {})).toThrow(new TypeError('`create` must be a function, got an object'));
    expect(() => checkOneOf('order', 'random', ['lifo', 'fifo'])).toThrow(
      new TypeError("`order` must be one of 'lifo', 'fifo', got \"random\""),
    );
  });

  test('take signals and clocks by what they can do', () => {
    const { signal } = new AbortController();
    expect(checkSignal('signal', signal)).toBe(signal);
    expect(checkClock('clock', Date)).toBe(Date);
    for (const bad of [null, 5, {}, { aborted: false }, new EventTarget()]) {
      expect(() => checkSignal('signal', bad as AbortSignal)).toThrow(/^`signal` must be an AbortSignal, got /);
      expect(() => checkClock('clock', bad as Clock)).toThrow(/^`clock` must be an object with a method `now`, got /);
    }
  });

  test('survive values that cannot be printed', () => {
    const hostile = {
      toString() {
        throw new Error('no');
      },
    };
    expect(() => checkName('name', hostile)).toThrow(/got an object/);
    expect(() => checkName('name', Symbol('s'))).toThrow(/got Symbol\(s\)/);
    expect(() => checkPositiveInteger('size', 'x'.repeat(1_000))).toThrow(/^.{0,120}$/);
  });

  test('refuse unknown options, naming them and the known ones', () => {
    expect(() => checkOptions('Pool', { maxx: 1 }, ['min', 'max'])).toThrow(
      new TypeError('Pool has no option `maxx`; it knows min, max'),
    );
    expect(() => checkOptions('Pool', undefined, ['max'])).toThrow(
      new TypeError('Pool takes an options object, got undefined'),
    );
    expect(() => checkOptions('Pool', [1], ['max'])).toThrow(TypeError);
  });
});
