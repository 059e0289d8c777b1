import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { DataLoader } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { setUp } from './loader-fixture.ts';
import { settle, watch } from './recorder.ts';

useFakeTime();

const reason = new Error('enough');

describe('before the batch is sent', () => {
  test('the caller has the reason at once, and the key leaves the batch', async () => {
    const { recorder, loader } = setUp();
    const controller = new AbortController();
    const gone = watch(loader.load('gone', { signal: controller.signal }));
    const kept = watch(loader.load('kept'));
    controller.abort(reason);
    await Promise.resolve();
    await Promise.resolve();
    expect(gone.outcome).toEqual({ status: 'rejected', reason });
    await settle();
    expect(recorder.batches).toEqual([['kept']]);
    await recorder.call(0).answer(['value']);
    expect(kept.outcome).toEqual({ status: 'fulfilled', value: 'value' });
    expect(loader.stats()).toMatchObject({ withdrawn: 1, pending: 0 });
  });

  test('a batch that everybody left is not sent, but its hits have their values', async () => {
    const { recorder, loader } = setUp();
    loader.prime('cached', 'value');
    const controller = new AbortController();
    void loader.load('a', { signal: controller.signal }).catch(() => {});
    const hit = watch(loader.load('cached'));
    controller.abort(reason);
    await settle();
    expect(recorder.calls).toHaveLength(0);
    expect(hit.outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });

  test('a batch that everybody left while it waited for a slot frees its hits, and takes no slot', async () => {
    const { recorder, loader } = setUp({ maxConcurrency: 1 });
    loader.prime('cached', 'value');
    void loader.load('first');
    await settle();
    const controller = new AbortController();
    const gone = watch(loader.load('gone', { signal: controller.signal }));
    const hit = watch(loader.load('cached'));
    await settle();
    expect(hit.outcome).toBeUndefined();
    controller.abort(reason);
    await settle();
    expect([gone.outcome?.status, hit.outcome?.status]).toEqual(['rejected', 'fulfilled']);
    const next = watch(loader.load('next'));
    await recorder.call(0).answer(['1']);
    expect(recorder.batches).toEqual([['first'], ['next']]);
    await recorder.call(1).answer(['2']);
    expect(next.outcome).toEqual({ status: 'fulfilled', value: '2' });
  });

  test('a key that left makes room in its batch, and the others keep their order', async () => {
    const { recorder, loader } = setUp({ maxBatchSize: 3 });
    const controller = new AbortController();
    const a = loader.load('a');
    const gone = watch(loader.load('gone', { signal: controller.signal }));
    const b = loader.load('b', { signal: new AbortController().signal });
    controller.abort(reason);
    const c = loader.load('c');
    await settle();
    expect(gone.outcome?.status).toBe('rejected');
    expect(recorder.batches).toEqual([['a', 'b', 'c']]);
    await recorder.call(0).answer([1, 2, 3]);
    expect(await Promise.all([a, b, c])).toEqual([1, 2, 3]);
  });

  test('a thousand callers that come and go leave nothing in a batch that waits', async () => {
    const { recorder, loader } = setUp({ maxConcurrency: 1, cacheKeyFn: (key) => `key ${String(key)}` });
    void loader.load('first');
    await settle();
    const last = loader.load('stays');
    for (let key = 0; key < 1000; key++) {
      const controller = new AbortController();
      void loader.load(key, { signal: controller.signal }).catch(() => {});
      controller.abort(reason);
    }
    await recorder.call(0).answer(['1']);
    expect(recorder.call(1).ops).toEqual(['stays']);
    await recorder.call(1).answer(['2']);
    expect(await last).toBe('2');
    expect(loader.stats()).toMatchObject({ withdrawn: 1000, pending: 0, inFlight: 0 });
  });

  test('equal loads share one promise also after many have left', async () => {
    const { recorder, loader } = setUp();
    const first = loader.load('first');
    expect(loader.load('first')).toBe(first);
    const controller = new AbortController();
    for (let key = 0; key < 100; key++) void loader.load(key, { signal: controller.signal }).catch(() => {});
    expect(loader.load('first')).toBe(first);
    controller.abort(reason);
    const late = loader.load('late');
    expect(loader.load('late')).toBe(late);
    await settle();
    expect(recorder.batches).toEqual([['first', 'late']]);
    await recorder.call(0).answer([1, 2]);
    expect(await Promise.all([first, late])).toEqual([1, 2]);
  });

  test('a scheduler that aborts the load and throws', async () => {
    const controller = new AbortController();
    const { loader } = setUp({
      batchScheduleFn: () => {
        controller.abort(reason);
        throw new Error('no schedule');
      },
    });
    await expect(loader.load('a', { signal: controller.signal })).rejects.toBe(reason);
    expect(loader.stats()).toMatchObject({ pending: 0, errors: 0, withdrawn: 1 });
  });

  test('a key that left is loaded anew, in the same batch too', async () => {
    const { recorder, loader } = setUp();
    const controller = new AbortController();
    const gone = watch(loader.load('a', { signal: controller.signal }));
    controller.abort(reason);
    const again = loader.load('a');
    await settle();
    expect(gone.outcome).toEqual({ status: 'rejected', reason });
    expect(recorder.batches).toEqual([['a']]);
    await recorder.call(0).answer(['value']);
    expect(await again).toBe('value');
    expect(await loader.load('a')).toBe('value');
  });

  test('an aborted signal loads nothing; its reason comes unchanged, whatever it is', async () => {
    const { recorder, loader } = setUp();
    await expect(loader.load('a', { signal: AbortSignal.abort(0) })).rejects.toBe(0);
    await expect(loader.loadMany(['a'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await settle();
    expect(recorder.calls).toHaveLength(0);
    expect(loader.stats()).toMatchObject({ loads: 0, pending: 0 });
  });
});

describe('callers of one key', () => {
  test.each([
    ['another signal', { signal: new AbortController().signal }],
    ['no signal', undefined],
  ])('one that aborts leaves one with %s its value', async (_, options) => {
    for (const abortWhileRunning of [false, true]) {
      const { recorder, loader } = setUp();
      const controller = new AbortController();
      const first = watch(loader.load('a', { signal: controller.signal }));
      const second = watch(options === undefined ? loader.load('a') : loader.load('a', options));
      if (abortWhileRunning) await settle();
      controller.abort(reason);
      await settle();
      expect(recorder.batches).toEqual([['a']]);
      expect(recorder.call(0).context.signal.aborted).toBe(false);
      await recorder.call(0).answer(['value']);
      expect([first.outcome, second.outcome]).toEqual([
        { status: 'rejected', reason },
        { status: 'fulfilled', value: 'value' },
      ]);
    }
  });

  test('one that aborts a load somebody else made changes nothing for that', async () => {
    const { recorder, loader } = setUp();
    const controller = new AbortController();
    const first = watch(loader.load('a'));
    const second = watch(loader.load('a', { signal: controller.signal }));
    await settle();
    controller.abort(reason);
    await settle();
    expect(second.outcome).toEqual({ status: 'rejected', reason });
    await recorder.call(0).answer(['value']);
    expect(first.outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });

  test('a hit can be aborted while its batch is open', async () => {
    const { recorder, loader } = setUp();
    loader.prime('a', 'primed');
    const controller = new AbortController();
    const aborted = watch(loader.load('a', { signal: controller.signal }));
    const hit = watch(loader.load('a'));
    controller.abort(reason);
    await settle();
    expect([aborted.outcome, hit.outcome]).toEqual([
      { status: 'rejected', reason },
      { status: 'fulfilled', value: 'primed' },
    ]);
    expect(recorder.calls).toHaveLength(0);
  });

  test('one after the other may wait for the same promise', async () => {
    const { recorder, loader } = setUp({ cacheHits: 'immediate' });
    const { signal } = new AbortController();
    const first = loader.load('a', { signal });
    await settle();
    await recorder.call(0).answer(['value']);
    expect(await first).toBe('value');
    expect(await loader.load('a', { signal })).toBe('value');
    expect(await loader.load('a', { signal })).toBe('value');
  });

  test('one that comes back while the batch is being loaded shares it', async () => {
    const { recorder, loader } = setUp({ cacheHits: 'immediate' });
    const [first, other] = [new AbortController(), new AbortController()];
    void loader.load('a', { signal: first.signal }).catch(() => {});
    void loader.load('b', { signal: other.signal }).catch(() => {});
    await settle();
    first.abort(reason);
    const back = watch(loader.load('a'));
    other.abort(reason);
    await settle();
    expect(recorder.call(0).context.signal.aborted).toBe(false);
    await recorder.call(0).answer(['value', 'b']);
    expect(back.outcome).toEqual({ status: 'fulfilled', value: 'value' });
    expect(recorder.calls).toHaveLength(1);
  });

  test.each(['batch', 'immediate'] as const)('a hit in flight keeps its load, with cacheHits %o', async (cacheHits) => {
    const { recorder, loader } = setUp({ cacheHits });
    const [first, second] = [new AbortController(), new AbortController()];
    void loader.load('a', { signal: first.signal }).catch(() => {});
    await settle();
    const joined = watch(loader.load('a', { signal: second.signal }));
    first.abort(reason);
    await settle();
    expect(recorder.call(0).context.signal.aborted).toBe(false);
    second.abort(reason);
    await settle();
    expect(recorder.call(0).context.signal.aborted).toBe(true);
    expect(joined.outcome).toEqual({ status: 'rejected', reason });
    await recorder.call(0).fail(reason);
  });
});

describe('while the batch is being loaded', () => {
  test('its signal aborts when the last caller of all of its keys is gone, with that reason', async () => {
    const { recorder, loader } = setUp();
    const controllers = [new AbortController(), new AbortController()];
    const loads = controllers.map(({ signal }, key) => watch(loader.load(key, { signal })));
    await settle();
    const { signal } = recorder.call(0).context;
    controllers[0]!.abort(new Error('first'));
    expect(signal.aborted).toBe(false);
    controllers[1]!.abort(reason);
    expect(signal.reason).toBe(reason);
    await settle();
    expect(loads.map(({ outcome }) => outcome)).toEqual([
      { status: 'rejected', reason: new Error('first') },
      { status: 'rejected', reason },
    ]);
    await recorder.call(0).fail(new Error('aborted'));
    expect(loader.stats()).toMatchObject({ withdrawn: 2, errors: 0, pending: 0, inFlight: 0 });
  });

  test('a batch function that looks at the signal too late sees that it has aborted', async () => {
    const controller = new AbortController();
    let seen: AbortSignal | undefined;
    const loader = new DataLoader<string, string>(async (keys, context) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen = context.signal;
      return keys;
    });
    const load = watch(loader.load('a', { signal: controller.signal }));
    await settle();
    controller.abort(reason);
    await vi.runAllTimersAsync();
    expect(load.outcome?.status).toBe('rejected');
    expect(seen?.reason).toBe(reason);
  });

  test('an abandoned key is out of the cache at once, and what comes of it late is dropped', async () => {
    const { recorder, loader } = setUp();
    const controller = new AbortController();
    void loader.load('a', { signal: controller.signal }).catch(() => {});
    await settle();
    controller.abort(reason);
    const again = watch(loader.load('a'));
    await settle();
    await recorder.call(0).answer(['late']);
    expect(again.outcome).toBeUndefined();
    await recorder.call(1).answer(['new']);
    expect(again.outcome).toEqual({ status: 'fulfilled', value: 'new' });
    expect(await loader.load('a')).toBe('new');
  });

  test('a key given up in a batch that goes on is cached when it comes', async () => {
    const { recorder, loader } = setUp();
    const controller = new AbortController();
    void loader.load('a', { signal: controller.signal }).catch(() => {});
    void loader.load('b');
    await settle();
    controller.abort(reason);
    await recorder.call(0).answer(['a', 'b']);
    expect(await loader.load('a')).toBe('a');
    expect(recorder.calls).toHaveLength(1);
  });

  test('an abandoned batch keeps its slot until the batch function is done', async () => {
    const { recorder, loader } = setUp({ maxConcurrency: 1 });
    const controller = new AbortController();
    void loader.load('a', { signal: controller.signal }).catch(() => {});
    await settle();
    controller.abort(reason);
    const next = watch(loader.load('b'));
    await settle();
    expect(recorder.calls).toHaveLength(1);
    await recorder.call(0).fail(reason);
    await recorder.call(1).answer(['b']);
    expect(next.outcome?.status).toBe('fulfilled');
  });

  test('hits that wait for an abandoned batch get their values', async () => {
    const { recorder, loader } = setUp();
    loader.prime('cached', 'value');
    const controller = new AbortController();
    void loader.load('a', { signal: controller.signal }).catch(() => {});
    const hit = watch(loader.load('cached'));
    await settle();
    expect(hit.outcome).toBeUndefined();
    controller.abort(reason);
    await settle();
    expect(hit.outcome).toEqual({ status: 'fulfilled', value: 'value' });
    await recorder.call(0).answer(['a']);
  });

  test('a timeout aborts the signal, with the error its callers get', async () => {
    const { recorder, loader } = setUp({ timeout: 5 });
    const load = watch(loader.load('a'));
    await settle();
    const { signal } = recorder.call(0).context;
    await vi.advanceTimersByTimeAsync(5);
    expect(load.outcome).toEqual({ status: 'rejected', reason: signal.reason });
  });

  test('a batch function that aborts its own caller is no trouble', async () => {
    const controller = new AbortController();
    const loader = new DataLoader<string, string>(async (keys) => {
      controller.abort(reason);
      return keys;
    });
    const load = watch(loader.load('a', { signal: controller.signal }));
    await settle();
    expect(load.outcome).toEqual({ status: 'rejected', reason });
    expect(loader.stats()).toMatchObject({ pending: 0, inFlight: 0 });
  });

  test('loads that can be aborted and loads that cannot get each their own value or error', async () => {
    const { recorder, loader } = setUp();
    const { signal } = new AbortController();
    const loads = [0, 1, 2, 3, 4, 5].map((key) => watch(key % 2 ? loader.load(key, { signal }) : loader.load(key)));
    await settle();
    await recorder.call(0).answer(['a', 'b', new Error('c'), new Error('d'), 'e', 'f']);
    expect(loads.map(({ outcome }) => outcome)).toEqual([
      { status: 'fulfilled', value: 'a' },
      { status: 'fulfilled', value: 'b' },
      { status: 'rejected', reason: new Error('c') },
      { status: 'rejected', reason: new Error('d') },
      { status: 'fulfilled', value: 'e' },
      { status: 'fulfilled', value: 'f' },
    ]);
  });
});

test('a cacheKeyFn that aborts the signal rejects with its reason, and nothing is loaded', async () => {
  const controller = new AbortController();
  const { recorder, loader } = setUp({
    cacheKeyFn: (key) => {
      controller.abort(reason);
      return key;
    },
  });
  await expect(loader.load('a', { signal: controller.signal })).rejects.toBe(reason);
  await settle();
  expect(recorder.calls).toHaveLength(0);
});

test('loadMany stops waiting for all of them at once', async () => {
  const { recorder, loader } = setUp();
  const controller = new AbortController();
  const many = watch(loader.loadMany(['a', 'b'], { signal: controller.signal }));
  const other = watch(loader.load('b'));
  await settle();
  controller.abort(reason);
  await settle();
  expect(many.outcome).toEqual({ status: 'rejected', reason });
  await recorder.call(0).answer(['a', 'b']);
  expect(other.outcome?.status).toBe('fulfilled');
});

test('loadMany with a signal gives values and errors as without', async () => {
  const { recorder, loader } = setUp();
  const many = loader.loadMany(['a', 'b', 'a'], { signal: new AbortController().signal });
  await settle();
  await recorder.call(0).answer(['a', new Error('no b')]);
  expect(await many).toEqual(['a', new Error('no b'), 'a']);
});

test('nothing stays on the signal, and one listener does for all loads', async () => {
  const { recorder, loader } = setUp();
  const { signal } = new AbortController();
  const listeners = {
    added: vi.spyOn(signal, 'addEventListener'),
    removed: vi.spyOn(signal, 'removeEventListener'),
  };
  const all = loader.loadMany(
    Array.from({ length: 100 }, (_, key) => key),
    { signal },
  );
  await settle();
  await recorder.call(0).answer(Array.from({ length: 100 }, (_, key) => key));
  await all;
  expect(listeners.added).toHaveBeenCalledOnce();
  expect(listeners.removed).toHaveBeenCalledOnce();
});

test('what is no signal is refused; what is no options object is ignored, so that map can call load', async () => {
  const { recorder, loader } = setUp();
  const message = '`signal` must be an AbortSignal, got "now"';
  await expect(loader.load('a', { signal: 'now' as never })).rejects.toThrow(message);
  await expect(loader.loadMany(['a'], { signal: 'now' as never })).rejects.toThrow(message);
  const all = Promise.all(['a', 'b'].map(loader.load.bind(loader)));
  await settle();
  await recorder.call(0).answer(['1', '2']);
  expect(await all).toEqual(['1', '2']);
});

/** Random callers of few keys, most of which abort sometime: whoever does has the reason, all others the value, and nothing is left. */
test('every caller gets its value or its reason, whoever else aborts', async () => {
  const caller = fc.record({
    key: fc.integer({ min: 0, max: 3 }),
    at: fc.integer({ min: 0, max: 6 }),
    abortAt: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  });
  const options = fc.record({
    maxConcurrency: fc.constantFrom(1, 2, Infinity),
    maxBatchSize: fc.constantFrom(1, 2, Infinity),
    cacheHits: fc.constantFrom('batch' as const, 'immediate' as const),
    cache: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(caller, { maxLength: 16 }), options, async (callers, config) => {
      const loader = new DataLoader<number, string>(async (keys, { signal }) => {
        await new Promise((resolve) => setTimeout(resolve, 3));
        signal.throwIfAborted();
        return keys.map((key) => `value ${key}`);
      }, config);
      const loads = callers.map(async ({ key, at, abortAt }, index) => {
        const controller = new AbortController();
        await new Promise((resolve) => setTimeout(resolve, at));
        if (abortAt !== undefined) setTimeout(() => controller.abort(index), abortAt);
        const load = abortAt === undefined ? loader.load(key) : loader.load(key, { signal: controller.signal });
        return load.then(
          (value) => expect(value).toBe(`value ${key}`),
          (error: unknown) => {
            expect(error).toBe(index);
            expect(controller.signal.aborted).toBe(true);
          },
        );
      });
      const all = watch(Promise.all(loads));
      await vi.runAllTimersAsync();
      expect(all.outcome?.status).toBe('fulfilled');
      expect(loader.stats()).toMatchObject({ loads: callers.length, pending: 0, inFlight: 0, errors: 0 });
      const after = watch(loader.loadMany([0, 1, 2, 3]));
      await vi.runAllTimersAsync();
      expect(after.outcome).toEqual({ status: 'fulfilled', value: [0, 1, 2, 3].map((key) => `value ${key}`) });
    }),
    { numRuns: 300 },
  );
});
