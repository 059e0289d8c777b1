import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { ConnectionPool } from '../src/index.ts';

// Not under fake time, which loses contexts.

test('what the pool does by itself does not run in the context of the caller that was there last', async () => {
  const storage = new AsyncLocalStorage<string>();
  const validated = Promise.withResolvers<string | undefined>();
  const destroyed = Promise.withResolvers<string | undefined>();
  await using pool = new ConnectionPool<object>({
    create: () => ({}),
    destroy: () => destroyed.resolve(storage.getStore()),
    validate: () => {
      validated.resolve(storage.getStore());
      return true;
    },
    validateAfterIdle: Infinity,
    keepaliveInterval: 5,
    idleTimeout: 20,
    max: 1,
  });
  await storage.run('caller', () => pool.use(() => {}));
  expect(await validated.promise).toBeUndefined();
  expect(await destroyed.promise).toBeUndefined();
});

test('a failed create is tried again in the context of the pool', async () => {
  const storage = new AsyncLocalStorage<string>();
  const contexts: unknown[] = [];
  await using pool = new ConnectionPool<object>({
    create: () => {
      contexts.push(storage.getStore());
      if (contexts.length < 3) throw new Error('refused');
      return {};
    },
    destroy: () => {},
    max: 1,
  });
  await storage.run('caller', () => pool.use(() => {}));
  expect(contexts).toEqual([undefined, undefined, undefined]);
});
