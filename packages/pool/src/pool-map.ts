import type { Call } from './call-table.ts';
import { ChunkSizer } from './chunk-sizer.ts';
import { AsyncChunks, type Chunk, chunksOf } from './chunks.ts';
import { TaskCloneError } from './errors.ts';
import type { Reply } from './frame.ts';
import { mapConcurrent } from './map-concurrent.ts';
import { readReply } from './read-reply.ts';

/** What the map of a pool goes by. */
export interface PoolMapSettings<T> {
  /** Has a chunk run on one worker. `waitSignal` ends it only while it waits. */
  readonly runChunk: (chunk: Chunk<T>, waitSignal: AbortSignal) => Promise<Reply>;
  readonly call: Call;
  readonly workers: number;
  readonly chunkSize: 'auto' | number;
  readonly ordered: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What came of a chunk. */
interface Outcome {
  readonly replies: readonly Reply[];
  /** What comes after them. */
  readonly failure?: { readonly error: unknown };
}

/** One chunk runs on each worker and one waits for it: a worker is never idle between two, and memory is bounded. */
const CHUNKS_PER_WORKER = 2;

/** Maps items over the workers of a pool, in chunks, and yields the results one by one. */
export async function* poolMap<T>(
  items: Iterable<T> | AsyncIterable<T>,
  settings: PoolMapSettings<T>,
): AsyncGenerator<unknown, undefined, undefined> {
  const { workers, ordered, signal } = settings;
  const sizer = new ChunkSizer(items, settings);
  const outcomes = mapConcurrent(
    chunked(items, sizer),
    (chunk, context) => runChunk({ chunk, sizer, waitSignal: context.signal }, settings),
    { concurrency: workers * CHUNKS_PER_WORKER, ordered, signal },
  );
  for await (const { replies, failure } of outcomes) {
    for (const reply of replies) {
      for (const result of readReply(reply, settings.call)) {
        // Between two results of a chunk nobody else looks.
        signal?.throwIfAborted();
        yield result;
      }
    }
    if (failure !== undefined) throw failure.error;
  }
  return undefined;
}

function chunked<T>(
  items: Iterable<T> | AsyncIterable<T>,
  sizer: ChunkSizer,
): Iterable<Chunk<T>> | AsyncIterable<Chunk<T>> {
  const nextSize = (): number => sizer.next();
  return isAsync(items) ? new AsyncChunks(items, nextSize) : chunksOf(items, nextSize);
}

/** Not by `in`: a string is an iterable, and no object. */
function isAsync<T>(items: Iterable<T> | AsyncIterable<T>): items is AsyncIterable<T> {
  return typeof (items as Partial<AsyncIterable<T>>)[Symbol.asyncIterator] === 'function';
}

async function runChunk<T>(
  work: { readonly chunk: Chunk<T>; readonly sizer: ChunkSizer; readonly waitSignal: AbortSignal },
  settings: PoolMapSettings<T>,
): Promise<Outcome> {
  const { chunk, sizer, waitSignal } = work;
  try {
    const reply = await settings.runChunk(chunk, waitSignal);
    sizer.learn(reply.elapsed, reply.results.length);
    return { replies: [reply] };
  } catch (error) {
    // Nothing of it was sent: one of the items cannot be cloned. Those before it can.
    const isUnsent = error instanceof TaskCloneError && error.direction === 'input';
    if (chunk.length > 1 && isUnsent) return runOneByOne(chunk, waitSignal, settings);
    throw error;
  }
}

async function runOneByOne<T>(
  chunk: Chunk<T>,
  waitSignal: AbortSignal,
  settings: PoolMapSettings<T>,
): Promise<Outcome> {
  const replies: Reply[] = [];
  try {
    for (const item of chunk) replies.push(await settings.runChunk([item], waitSignal));
    return { replies };
  } catch (error) {
    return { replies, failure: { error } };
  }
}
