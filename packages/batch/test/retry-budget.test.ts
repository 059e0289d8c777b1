import { expect, test } from 'vitest';
import { RetryBudget } from '../src/retry-budget.ts';

test('a burst may be sent again, and after that the ratio of what is sent', () => {
  const budget = new RetryBudget({ ratio: 0.1, burst: 3 });
  expect([1, 2, 3, 4].map(() => budget.take(1))).toEqual([true, true, true, false]);
  budget.deposit(10);
  expect([budget.take(1), budget.take(1)]).toEqual([true, false]);
});

test('tenths add up to one', () => {
  const budget = new RetryBudget({ ratio: 0.1, burst: 1 });
  budget.take(1);
  for (let sent = 0; sent < 10; sent++) budget.deposit(1);
  expect(budget.take(1)).toBe(true);
});

test('it saves no more than a burst, and gives all that is asked for or nothing', () => {
  const budget = new RetryBudget({ ratio: 1, burst: 5 });
  budget.deposit(1_000_000);
  expect(budget.tokens).toBe(5);
  expect([budget.take(6), budget.take(4), budget.take(2), budget.take(1)]).toEqual([false, true, false, true]);
});

test('Infinity is no bound, and 0 with a burst of 0 is none at all', () => {
  const free = new RetryBudget(Infinity);
  expect([free.take(1e9), free.take(1)]).toEqual([true, true]);
  const none = new RetryBudget({ ratio: 0, burst: 0 });
  none.deposit(1e6);
  expect(none.take(1)).toBe(false);
});

test('over a long failure no more than the ratio is sent again', () => {
  const budget = new RetryBudget();
  let again = 0;
  for (let batch = 0; batch < 10_000; batch++) {
    budget.deposit(100);
    for (let op = 0; op < 200; op++) if (budget.take(1)) again++;
  }
  expect(again).toBeLessThanOrEqual(0.1 * 1_000_000 + 10_000);
  expect(again).toBeGreaterThan(0.1 * 1_000_000);
});
