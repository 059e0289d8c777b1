import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { LeaseAnswer, Store, StoreWrite } from '../../src/index.ts';

/** What a contract test needs of a store. */
export interface StoreSetup {
  /** Two clients of the same storage, as two processes would have. */
  readonly stores: readonly [Store, Store];
  /** Lets time pass for the storage. */
  wait(ms: number): Promise<void>;
  close?(): Promise<void>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const write = (key: string, text: string, rest: Partial<StoreWrite> = {}): StoreWrite => ({
  key,
  bytes: bytes(text),
  ttl: 60_000,
  ...rest,
});

/** The rules of the `Store` interface, as tests; those of leases for a store that has them. */
export function storeContract(
  name: string,
  setUp: () => Promise<StoreSetup>,
  { leases }: { readonly leases: boolean },
): void {
  describe(`the contract of a store: ${name}`, () => {
    let setup: StoreSetup;
    let here: Store;
    let there: Store;
    let namespace: string;
    let runs = 0;

    beforeEach(async () => {
      setup ??= await setUp();
      [here, there] = setup.stores;
      namespace = `contract-${runs++}`;
    });
    afterAll(() => setup.close?.());

    const textOf = async (store: Store, key: string): Promise<string | undefined> => {
      const [entry] = await store.getMany(namespace, [key]);
      return entry?.bytes && Buffer.from(entry.bytes).toString();
    };
    const versionOf = async (store: Store, key: string): Promise<string> => {
      const [entry] = await store.getMany(namespace, [key]);
      return entry?.version ?? 'none';
    };

    test('what one writes, the other reads, with the time that is left', async () => {
      expect(await here.setMany(namespace, [write('a', 'A'), write('b', 'B', { ttl: Infinity })])).toEqual([
        true,
        true,
      ]);
      const [b, nothing, a] = await there.getMany(namespace, ['b', 'x', 'a']);
      expect([a?.bytes, b?.bytes].map((each) => each && Buffer.from(each).toString())).toEqual(['A', 'B']);
      expect(nothing?.bytes).toBeUndefined();
      expect(b?.ttl).toBe(Infinity);
      expect(a?.ttl).toBeGreaterThan(50_000);
      expect(a?.ttl).toBeLessThanOrEqual(60_000);
    });

    test('nothing in, nothing out', async () => {
      expect(await here.getMany(namespace, [])).toEqual([]);
      expect(await here.setMany(namespace, [])).toEqual([]);
      await here.deleteMany(namespace, []);
    });

    test('any text is a key, any bytes are a value', async () => {
      const keys = ['', ' ', ':', 'a:b', '{x}', '*', 'ключ', '\u0000', 'x'.repeat(1_000)];
      const values = keys.map((_, index) => Buffer.from([0, 255, 13, 10, index]));
      await here.setMany(
        namespace,
        keys.map((key, index) => ({ key, bytes: values[index] as Buffer, ttl: 60_000 })),
      );
      const read = await there.getMany(namespace, keys);
      expect(read.map((entry) => entry.bytes && Buffer.from(entry.bytes))).toEqual(values);
      await here.setMany(namespace, [{ key: 'empty', bytes: Buffer.alloc(0), ttl: 60_000 }]);
      const [empty] = await there.getMany(namespace, ['empty']);
      expect(empty?.bytes?.length).toBe(0);
    });

    test('an entry is gone when its ttl is over, not before', async () => {
      await here.setMany(namespace, [write('k', 'v', { ttl: 400 })]);
      expect(await textOf(here, 'k')).toBe('v');
      await setup.wait(450);
      expect(await textOf(here, 'k')).toBeUndefined();
    });

    test('a deletion is seen by all', async () => {
      await here.setMany(namespace, [write('a', '1'), write('b', '2')]);
      await there.deleteMany(namespace, ['a', 'never there']);
      expect([await textOf(here, 'a'), await textOf(here, 'b')]).toEqual([undefined, '2']);
    });

    test('clear deletes the namespace and no other', async () => {
      await here.setMany(namespace, [write('k', 'v')]);
      await here.setMany(`${namespace}-other`, [write('k', 'kept')]);
      await there.clear(namespace);
      expect(await textOf(here, 'k')).toBeUndefined();
      const [kept] = await here.getMany(`${namespace}-other`, ['k']);
      expect(kept?.bytes && Buffer.from(kept.bytes).toString()).toBe('kept');
      await here.setMany(namespace, [write('k', 'again')]);
      expect(await textOf(there, 'k')).toBe('again');
    });

    describe('a write with a version', () => {
      const attempt = async (version: string, store = here): Promise<boolean | undefined> =>
        (await store.setMany(namespace, [write('k', 'loaded', { ifVersion: version })]))[0];

      test('is carried out when nothing has happened since, whether there was something or not', async () => {
        expect(await attempt(await versionOf(here, 'k'))).toBe(true);
        expect(await attempt(await versionOf(here, 'k'))).toBe(true);
        expect(await textOf(there, 'k')).toBe('loaded');
      });

      test.each([
        ['a write', (): Promise<unknown> => there.setMany(namespace, [write('k', 'newer')]), 'newer'],
        [
          'a write of the same bytes',
          (): Promise<unknown> => there.setMany(namespace, [write('k', 'before')]),
          'before',
        ],
        ['a deletion', (): Promise<unknown> => there.deleteMany(namespace, ['k']), undefined],
        ['a clear', (): Promise<unknown> => there.clear(namespace), undefined],
      ])('is refused after %s, when there was a value', async (_what, change, expected) => {
        await here.setMany(namespace, [write('k', 'before')]);
        const version = await versionOf(here, 'k');
        await change();
        expect(await attempt(version)).toBe(false);
        expect(await textOf(here, 'k')).toBe(expected);
      });

      test.each([
        ['a write', (): Promise<unknown> => there.setMany(namespace, [write('k', 'newer')]), 'newer'],
        ['a deletion', (): Promise<unknown> => there.deleteMany(namespace, ['k']), undefined],
        ['a clear', (): Promise<unknown> => there.clear(namespace), undefined],
      ])('is refused after %s, when there was none', async (_what, change, expected) => {
        const version = await versionOf(here, 'k');
        await change();
        expect(await attempt(version)).toBe(false);
        expect(await textOf(here, 'k')).toBe(expected);
      });

      test('is refused after a write that has expired since', async () => {
        const version = await versionOf(here, 'k');
        await there.setMany(namespace, [write('k', 'short', { ttl: 50 })]);
        await setup.wait(100);
        expect(await attempt(version)).toBe(false);
        expect(await textOf(here, 'k')).toBeUndefined();
        expect(await attempt(await versionOf(here, 'k'))).toBe(true);
      });

      test('wins once among many', async () => {
        const version = await versionOf(here, 'k');
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, (_, index) => attempt(version, setup.stores[index % 2])),
        );
        expect(outcomes.filter(Boolean)).toHaveLength(1);
      });

      test('stands by itself among others', async () => {
        const [a, b] = await here.getMany(namespace, ['a', 'b']);
        await there.deleteMany(namespace, ['a']);
        const outcomes = await here.setMany(namespace, [
          write('a', 'A', { ifVersion: a?.version as string }),
          write('b', 'B', { ifVersion: b?.version as string }),
          write('c', 'C'),
        ]);
        expect(outcomes).toEqual([false, true, true]);
      });
    });

    describe('tags', () => {
      const tagged = (key: string, tags: readonly string[], rest: Partial<StoreWrite> = {}): StoreWrite =>
        write(key, `value of ${key}`, { tags, ...rest });

      test('are read with the entry, whatever text they are', async () => {
        const tags = ['plain', '', ' ', 'a,b', 'a:b', '{x}', '"quoted"', 'метка', '\u0000', 'x'.repeat(300)];
        await here.setMany(namespace, [tagged('a', tags), write('b', 'B')]);
        const [a, b, none] = await there.getMany(namespace, ['a', 'b', 'c'], { tags: ['plain', 'another'] });
        expect(a?.tags).toEqual(tags);
        expect(b?.tags).toEqual([]);
        expect(none?.tags).toEqual([]);
        await here.invalidateTags(namespace, ['\u0000']);
        expect(await textOf(there, 'a')).toBeUndefined();
      });

      test('end all entries that have one of them, and no others', async () => {
        await here.setMany(namespace, [
          tagged('a', ['x']),
          tagged('b', ['y', 'x']),
          tagged('c', ['y']),
          tagged('d', ['z', 'w']),
          write('e', 'E'),
        ]);
        await here.setMany(`${namespace}-other`, [tagged('a', ['x'])]);
        await there.invalidateTags(namespace, ['x', 'z', 'never used']);
        const entries = await there.getMany(namespace, ['a', 'b', 'c', 'd', 'e']);
        expect(entries.map((entry) => entry.bytes !== undefined)).toEqual([false, false, true, false, true]);
        const [other] = await here.getMany(`${namespace}-other`, ['a'], { tags: ['x'] });
        expect(other?.bytes).toBeDefined();
      });

      test('may be used again at once', async () => {
        await here.setMany(namespace, [tagged('a', ['x'])]);
        await here.invalidateTags(namespace, ['x']);
        await there.setMany(namespace, [tagged('a', ['x'])]);
        expect(await textOf(here, 'a')).toBe('value of a');
        await there.invalidateTags(namespace, ['x']);
        expect(await textOf(here, 'a')).toBeUndefined();
      });

      test('nothing to invalidate', async () => {
        await here.setMany(namespace, [tagged('a', ['x'])]);
        await here.invalidateTags(namespace, []);
        expect(await textOf(here, 'a')).toBe('value of a');
      });

      test('invalidated since the version was read, known of then or not, refuse the write', async () => {
        const [known, unknown, fine] = await here.getMany(namespace, ['known', 'unknown', 'fine'], { tags: ['x'] });
        await there.invalidateTags(namespace, ['x', 'y']);
        const written = await here.setMany(namespace, [
          tagged('known', ['x'], { ifVersion: known?.version as string }),
          tagged('unknown', ['z', 'y'], { ifVersion: unknown?.version as string }),
          tagged('fine', [], { ifVersion: fine?.version as string }),
        ]);
        expect(written).toEqual([false, false, true]);
        expect(await textOf(there, 'known')).toBeUndefined();
        expect(await textOf(there, 'unknown')).toBeUndefined();
        expect(await textOf(there, 'fine')).toBe('value of fine');
      });

      test('invalidated before the version was read do no harm', async () => {
        await there.invalidateTags(namespace, ['x']);
        const version = await versionOf(here, 'k');
        expect(await here.setMany(namespace, [tagged('k', ['x'], { ifVersion: version })])).toEqual([true]);
        expect(await textOf(there, 'k')).toBe('value of k');
      });

      test('survive a clear as little as the entries do', async () => {
        await here.setMany(namespace, [tagged('a', ['x'])]);
        await there.clear(namespace);
        await here.setMany(namespace, [tagged('b', ['x'])]);
        expect([await textOf(there, 'a'), await textOf(there, 'b')]).toEqual([undefined, 'value of b']);
        await there.invalidateTags(namespace, ['x']);
        expect(await textOf(here, 'b')).toBeUndefined();
      });
    });

    if (!leases) return;
    describe('leases', () => {
      const lease = async (store: Store, key: string, ttl = 60_000): Promise<LeaseAnswer | undefined> => {
        const version = (await store.getMany(namespace, [key]))[0]?.version as string;
        return (await store.leases?.acquire(namespace, [{ key, version, ttl }]))?.[0];
      };
      const leasedFor = async (store: Store, key: string): Promise<number | undefined> =>
        (await store.getMany(namespace, [key]))[0]?.leasedFor;
      const got = (answer: LeaseAnswer | undefined): { token: string; version: string } => {
        if (answer?.token === undefined) throw new Error('there was no lease to get');
        return answer;
      };

      test('are had by one at a time, whether there is an entry or not', async () => {
        await here.setMany(namespace, [write('there', 'stale')]);
        await here.deleteMany(namespace, ['deleted']);
        for (const key of ['absent', 'there', 'deleted']) {
          const version = await versionOf(here, key);
          const requests = await Promise.all(
            Array.from(
              { length: 10 },
              (_, index) =>
                (setup.stores[index % 2] as Store).leases?.acquire(namespace, [{ key, version, ttl: 60_000 }]) ??
                Promise.resolve([]),
            ),
          );
          const answers = requests.map((answer) => answer?.[0]);
          expect(answers.filter((answer) => answer?.token !== undefined)).toHaveLength(1);
          const late = await lease(there, key);
          expect(late?.token).toBeUndefined();
          expect((late as { leasedFor: number }).leasedFor).toBeGreaterThan(50_000);
          expect(await leasedFor(here, key)).toBeGreaterThan(50_000);
        }
        expect(await textOf(there, 'there')).toBe('stale');
        expect(await textOf(there, 'absent')).toBeUndefined();
      });

      test('let their holder write, and end with that', async () => {
        const { token, version } = got(await lease(here, 'k'));
        expect(await here.setMany(namespace, [write('k', 'loaded', { ifVersion: version, lease: token })])).toEqual([
          true,
        ]);
        expect(await textOf(there, 'k')).toBe('loaded');
        expect(await leasedFor(there, 'k')).toBe(0);
        expect(got(await lease(there, 'k')).token).not.toBe(token);
      });

      test('are not given for a key that has changed', async () => {
        const version = await versionOf(here, 'k');
        await there.setMany(namespace, [write('k', 'newer')]);
        expect(await here.leases?.acquire(namespace, [{ key: 'k', version, ttl: 60_000 }])).toEqual([
          { token: undefined, leasedFor: 0 },
        ]);
      });

      test.each([
        ['a deletion', (): Promise<unknown> => there.deleteMany(namespace, ['k']), undefined],
        ['a write', (): Promise<unknown> => there.setMany(namespace, [write('k', 'newer')]), 'newer'],
        ['a clear', (): Promise<unknown> => there.clear(namespace), undefined],
      ])('end with %s by anyone, and their holder may not write', async (_what, change, expected) => {
        const { token, version } = got(await lease(here, 'k'));
        await change();
        expect(await leasedFor(there, 'k')).toBe(0);
        const successor = got(await lease(there, 'k'));
        expect(await here.setMany(namespace, [write('k', 'late', { ifVersion: version, lease: token })])).toEqual([
          false,
        ]);
        expect(await textOf(there, 'k')).toBe(expected);
        await there.leases?.release(namespace, [{ key: 'k', token: successor.token }]);
      });

      test('end by themselves; then another may have one, and the late holder may not write', async () => {
        const first = got(await lease(here, 'k', 50));
        expect((await lease(there, 'k'))?.token).toBeUndefined();
        await setup.wait(100);
        expect(await leasedFor(there, 'k')).toBe(0);
        const second = got(await lease(there, 'k'));
        const late = write('k', 'late', { ifVersion: first.version, lease: first.token });
        expect(await here.setMany(namespace, [late])).toEqual([false]);
        expect(await here.leases?.extend(namespace, [{ key: 'k', token: first.token }], 60_000)).toEqual([false]);
        await here.leases?.release(namespace, [{ key: 'k', token: first.token }]);
        expect(await leasedFor(here, 'k')).toBeGreaterThan(50_000);
        const good = write('k', 'good', { ifVersion: second.version, lease: second.token });
        expect(await there.setMany(namespace, [good])).toEqual([true]);
      });

      test('can be made longer and given back', async () => {
        const { token } = got(await lease(here, 'k', 60));
        expect(await here.leases?.extend(namespace, [{ key: 'k', token }], 60_000)).toEqual([true]);
        await setup.wait(100);
        expect((await lease(there, 'k'))?.token).toBeUndefined();
        await here.leases?.release(namespace, [{ key: 'k', token }]);
        expect(await leasedFor(there, 'k')).toBe(0);
        expect((await lease(there, 'k'))?.token).toBeDefined();
      });

      test('leave nothing of an old load possible: the version from before a deletion stays refused', async () => {
        const before = await versionOf(here, 'k');
        await there.deleteMany(namespace, ['k']);
        const { token } = got(await lease(there, 'k', 30));
        await setup.wait(60);
        await there.leases?.release(namespace, [{ key: 'k', token }]);
        expect(await here.setMany(namespace, [write('k', 'old', { ifVersion: before })])).toEqual([false]);
      });

      test('do not shorten the life of an entry', async () => {
        await here.setMany(namespace, [write('k', 'v', { ttl: 60_000 })]);
        got(await lease(there, 'k', 20));
        await setup.wait(50);
        const [entry] = await here.getMany(namespace, ['k']);
        expect(entry?.ttl).toBeGreaterThan(50_000);
      });
    });
  });
}
