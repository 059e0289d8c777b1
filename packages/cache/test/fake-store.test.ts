import { expect, test } from 'vitest';
import { storeContract } from './contract/store-contract.ts';
import { FakeStore } from './fake-store.ts';

storeContract(
  'FakeStore',
  async () => {
    let now = 0;
    const store = new FakeStore(() => now);
    return { stores: [store, store], wait: async (ms) => void (now += ms) };
  },
  { leases: true },
);

test('may be had without leases', () => {
  expect(new FakeStore(undefined, { leases: false }).leases).toBeUndefined();
});
