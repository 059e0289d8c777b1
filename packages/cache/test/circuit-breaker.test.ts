import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BreakerPass, CircuitBreaker } from '../src/circuit-breaker.ts';

const pass = (breaker: CircuitBreaker, now: number): BreakerPass => {
  const entered = breaker.enter(now);
  if (entered === undefined) throw new Error('no way through');
  return entered;
};

describe('CircuitBreaker', () => {
  test('opens after failures in a row, and lets one call through after the cooldown', () => {
    const breaker = new CircuitBreaker({ failures: 3, cooldown: 100 });
    for (const now of [0, 1]) breaker.failed(pass(breaker, now), now);
    breaker.succeeded(pass(breaker, 2));
    for (const now of [3, 4]) breaker.failed(pass(breaker, now), now);
    expect(breaker.state).toBe('closed');
    breaker.failed(pass(breaker, 5), 5);
    expect(breaker.state).toBe('open');
    expect(breaker.enter(104)).toBeUndefined();
    const probe = pass(breaker, 105);
    expect(breaker.state).toBe('half-open');
    expect(breaker.enter(106)).toBeUndefined();
    breaker.failed(probe, 110);
    expect(breaker.enter(209)).toBeUndefined();
    breaker.succeeded(pass(breaker, 210));
    expect(breaker.state).toBe('closed');
    expect(breaker.openings).toBe(1);
  });

  test('what was let through before it opened says nothing about later', () => {
    const breaker = new CircuitBreaker({ failures: 1, cooldown: 100 });
    const [a, b, c] = [pass(breaker, 0), pass(breaker, 0), pass(breaker, 0)];
    breaker.failed(a, 1);
    breaker.failed(b, 50);
    breaker.succeeded(c);
    expect(breaker.state).toBe('open');
    const probe = pass(breaker, 101);
    breaker.failed(b, 102);
    expect(breaker.state).toBe('half-open');
    breaker.succeeded(probe);
    expect(breaker.state).toBe('closed');
  });

  test('never opens with an infinite limit', () => {
    const breaker = new CircuitBreaker({ failures: Infinity, cooldown: 100 });
    for (let now = 0; now < 1_000; now++) breaker.failed(pass(breaker, now), now);
    expect(breaker.state).toBe('closed');
  });

  test('whatever happens, at most one call is under way while it is not closed, and it always recovers', () => {
    const step = fc.record({ wait: fc.nat(60), settle: fc.nat(9), ok: fc.boolean(), enter: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const breaker = new CircuitBreaker({ failures: 2, cooldown: 100 });
        let now = 0;
        let probes: BreakerPass[] = [];
        const underWay: BreakerPass[] = [];
        for (const { wait, settle, ok, enter } of steps) {
          now += wait;
          const was = breaker.state;
          const entered = enter ? breaker.enter(now) : undefined;
          if (entered !== undefined) underWay.push(entered);
          if (entered !== undefined && was !== 'closed') probes.push(entered);
          const [settled] = underWay.splice(settle, 1);
          if (settled !== undefined && ok) breaker.succeeded(settled);
          else if (settled !== undefined) breaker.failed(settled, now);
          probes = probes.filter((each) => each !== settled);
          expect(probes.length).toBeLessThanOrEqual(1);
        }
        for (const each of underWay) breaker.failed(each, now);
        breaker.succeeded(breaker.enter(now + 101) ?? { epoch: -1 });
        expect(breaker.state).toBe('closed');
      }),
    );
  });
});
