import { getEventListeners } from 'node:events';
import { expect, test, vi } from 'vitest';
import { AbortGroups } from '../src/index.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('all members of a signal are told at once, with its reason, and those of another are not', () => {
  const onAbort = vi.fn();
  const groups = new AbortGroups<string>(onAbort);
  const [one, other] = [new AbortController(), new AbortController()];
  groups.add(one.signal, 'a');
  groups.add(one.signal, 'b');
  groups.add(other.signal, 'c');
  groups.add(undefined, 'd');
  one.abort('enough');
  expect(onAbort.mock.calls).toEqual([[['a', 'b'], 'enough']]);
  expect(listeners(one.signal)).toBe(0);
  groups.delete(one.signal, 'a');
  other.abort('too');
  expect(onAbort).toHaveBeenLastCalledWith(['c'], 'too');
});

test('a signal has one listener however many share it, and none when the last member has left', () => {
  const groups = new AbortGroups<number>(() => expect.unreachable());
  const controller = new AbortController();
  for (let member = 0; member < 1_000; member++) groups.add(controller.signal, member);
  expect(listeners(controller.signal)).toBe(1);
  for (let member = 0; member < 1_000; member++) groups.delete(controller.signal, member);
  expect(listeners(controller.signal)).toBe(0);
  groups.delete(controller.signal, 7);
  groups.delete(undefined, 7);
  controller.abort();
});
