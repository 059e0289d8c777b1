import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { expect, test } from 'vitest';
import { toPprof } from '../../src/index.ts';
import { profileOf } from '../profile-fixture.ts';

test('a pprof profile holds every stack with its time, innermost function first', () => {
  const decoded = Profile.decode(
    gunzipSync(
      toPprof(
        profileOf(
          {
            name: 'main',
            self: 10,
            calls: [
              { name: 'work', line: 3, self: 20 },
              { name: 'work', line: 8, self: 1 },
            ],
          },
          { name: '(idle)', self: 500 },
        ),
      ),
    ),
  );
  const text = (index: number | bigint): string => decoded.stringTable.strings[Number(index)]!;
  const functions = new Map(decoded.function.map((each) => [Number(each.id), each]));
  const locations = new Map(
    decoded.location.map((each) => [Number(each.id), functions.get(Number(each.line[0]!.functionId))!]),
  );
  const stacks = decoded.sample.map(({ locationId, value }) => [
    locationId
      .map((id) => `${text(locations.get(Number(id))!.name)}:${locations.get(Number(id))!.startLine}`)
      .join(' '),
    Number(value[0]),
  ]);
  expect(Object.fromEntries(stacks)).toEqual({ 'main:1': 10e6, 'work:4 main:1': 20e6, 'work:9 main:1': 1e6 });
  expect(decoded.sampleType.map(({ type, unit }) => [text(type), text(unit)])).toEqual([['cpu', 'nanoseconds']]);
  expect(Number(decoded.durationNanos)).toBe(531e6);
});
