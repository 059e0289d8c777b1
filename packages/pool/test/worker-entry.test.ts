import { serialize } from 'node:v8';
import { expect, test } from 'vitest';
import type { ProcessFrame } from '../src/frame.ts';
import { dispatch } from '../src/worker-entry.ts';

test('a worker that was not opened says so instead of running anything', async () => {
  const call = [0, 'data:text/javascript,throw 1', 'default', 'one'] as const;
  const frame: ProcessFrame = { kind: 'frame', call, item: 1, carried: undefined };
  expect(await dispatch(serialize(frame))).toBe('not opened');
});
