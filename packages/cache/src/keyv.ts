export type { KeyvAdapter, KeyvAdapterEntry } from './keyv-adapter.ts';
export { type KeyvStoreOptions, keyvStore } from './keyv-store.ts';
