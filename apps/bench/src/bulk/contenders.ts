import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@elastic/elasticsearch';
import { Batcher } from '@perf/batch';
import Bottleneck from 'bottleneck';
import DataLoader from 'dataloader';
import PQueue from 'p-queue';
import { PARALLEL, type SlowStore } from './slow-store.ts';

/** How the operations come. */
export interface Workload {
  readonly operations: number;
  /** How many callers there are, each of which waits for one operation before the next; absent: all come at once. */
  readonly callers?: number;
}

/** Sends operations one by one to a store of its own. */
export interface Sender {
  /** Resolves when the operation is done. */
  send(operation: number): Promise<unknown>;
  close?(): unknown;
}

export type MakeSender = (store: SlowStore) => Sender;

/** Ours with a batch size of the caller's, or the one it finds. */
export const batcher =
  (maxSize?: number): MakeSender =>
  (store) => {
    const size = maxSize === undefined ? {} : { maxSize };
    const ours = new Batcher<number, number>({
      execute: async (operations) => {
        await store.call(operations.length);
        return operations as number[];
      },
      concurrency: PARALLEL,
      ...size,
    });
    return { send: (operation) => ours.add(operation), close: () => ours.close() };
  };

/** `dataloader` has no bound on concurrency: the store's own queue is one. */
export const dataloader =
  (maxBatchSize: number): MakeSender =>
  (store) => {
    const loader = new DataLoader<number, number>(
      async (operations) => {
        await store.call(operations.length);
        return [...operations];
      },
      { maxBatchSize, cache: false },
    );
    return { send: (operation) => loader.load(operation) };
  };

/** Bottleneck's batcher tells the caller when its batch is full, or 1 ms old; what becomes of the batch is the caller's business. */
export const bottleneck =
  (maxSize: number): MakeSender =>
  (store) => {
    const theirs = new Bottleneck.Batcher({ maxSize, maxTime: 1 });
    const queue = new PQueue({ concurrency: PARALLEL });
    const waiting = new Map<number, () => void>();
    theirs.on('batch', (operations: number[]) => {
      void queue.add(async () => {
        await store.call(operations.length);
        for (const operation of operations) {
          waiting.get(operation)?.();
          waiting.delete(operation);
        }
      });
    });
    return {
      send: (operation) =>
        new Promise<void>((done) => {
          waiting.set(operation, done);
          void theirs.add(operation);
        }),
    };
  };

/** No batches at all: what every one of them is for. */
export const oneByOne: MakeSender = (store) => {
  const queue = new PQueue({ concurrency: PARALLEL });
  return { send: (operation) => queue.add(() => store.call(1).then(() => operation)) };
};

/**
 * The bulk helper of the Elasticsearch client, against an HTTP server in front of the store: it takes a source of operations, and tells
 * how many have succeeded; operations have no results. So it is given all at once only.
 */
export async function elasticsearchBulk(store: SlowStore, operations: number, flushBytes: number): Promise<number> {
  const server = createServer((request, response) => {
    let lines = 0;
    request.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) lines++;
    });
    request.on('end', () => {
      const size = lines / 2;
      void store.call(size).then(() => {
        response.setHeader('x-elastic-product', 'Elasticsearch');
        response.setHeader('content-type', 'application/vnd.elasticsearch+json;compatible-with=9');
        response.end(
          JSON.stringify({
            took: 1,
            errors: false,
            items: Array.from({ length: size }, () => ({ index: { status: 201 } })),
          }),
        );
      });
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const client = new Client({ node: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  try {
    const source = Array.from({ length: operations }, (_, id) => ({ id }));
    const result = await client.helpers.bulk({
      datasource: source,
      onDocument: () => ({ index: { _index: 'a' } }),
      flushBytes,
      concurrency: PARALLEL,
    });
    return result.successful;
  } finally {
    await client.close();
    server.close();
  }
}
