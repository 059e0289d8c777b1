import { serialize } from 'node:v8';
import { expect, test } from 'vitest';
import type { Frame } from '../src/frame.ts';
import { dispatch } from '../src/worker-entry.ts';

test('a worker that was not opened says so instead of running anything', async () => {
  const frame: Frame = { kind: 'frame', sequence: 1, url: 'data:text/javascript,throw 1', name: 'default', items: [1] };
  expect(await dispatch(frame)).toBe('not opened');
  expect(await dispatch(serialize(frame))).toBe('not opened');
});
