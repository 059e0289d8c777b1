import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Store, StoreWrite } from '../../src/index.ts';

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

/** The rules of the `Store` interface, as tests. */
export function storeContract(name: string, setUp: () => Promise<StoreSetup>): void {
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
  });
}
