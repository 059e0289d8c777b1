/** What {@link keyvStore} needs of an adapter: those of Keyv have it, so has a `Keyv`, and so has a `Map`. Answers may be promises. */
export interface KeyvAdapter {
  get(key: string): unknown;
  /** The third argument is milliseconds from now, or a time of the wall clock for adapters that say so in `capabilities`. */
  set(key: string, value: string, expiry?: number): unknown;
  getMany?(keys: string[]): unknown;
  setMany?(entries: KeyvAdapterEntry[]): unknown;
  /** Keyv 6: whether the adapter takes times of the wall clock. */
  readonly capabilities?: { readonly expires?: boolean } | undefined;
}

/** One entry for `setMany`. */
export interface KeyvAdapterEntry {
  readonly key: string;
  readonly value: string;
  ttl?: number;
  expires?: number;
}

/** What is to be kept under a key, for `ttl` milliseconds; `Infinity` for ever. */
export interface KeyvChange {
  readonly key: string;
  readonly value: string;
  readonly ttl: number;
}

/** What the adapter has, in the order of the keys. */
export async function readAll(adapter: KeyvAdapter, keys: readonly string[]): Promise<readonly unknown[]> {
  if (keys.length > 1 && typeof adapter.getMany === 'function') {
    const values = await adapter.getMany([...keys]);
    return Array.isArray(values) ? values : [];
  }
  return Promise.all(keys.map(async (key) => adapter.get(key)));
}

export async function writeAll(adapter: KeyvAdapter, changes: readonly KeyvChange[]): Promise<void> {
  const isAbsolute = adapter.capabilities?.expires === true;
  if (changes.length > 1 && typeof adapter.setMany === 'function') {
    await adapter.setMany(
      changes.map(({ key, value, ttl }): KeyvAdapterEntry => {
        if (ttl === Infinity) return { key, value };
        return isAbsolute ? { key, value, expires: Date.now() + ttl } : { key, value, ttl };
      }),
    );
    return;
  }
  await Promise.all(
    changes.map(async ({ key, value, ttl }) => {
      if (ttl === Infinity) await adapter.set(key, value);
      else await adapter.set(key, value, isAbsolute ? Date.now() + ttl : ttl);
    }),
  );
}
