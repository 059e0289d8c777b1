import { TieredCache } from '@perf/cache';
import { type Codec, compressed, msgpackCodec } from '@perf/codec';
import { cacheKey } from './cache-key.ts';
import type { CallOptions, ToolCall, ToolResult } from './upstream/session.ts';

const MAX_BYTES = 32 * 2 ** 20;
/** What an entry takes beside its key and its result, roughly; for small results that is most of it. */
const ENTRY_BYTES = 512;
const COMPRESS_FROM = 16 * 2 ** 10;

/** An answer that must not be kept: it is handed to the callers that wait for it, and to nobody else. */
class NotKept {
  readonly result: ToolResult;

  constructor(result: ToolResult) {
    this.result = result;
  }
}

/** A snapshot of a {@link ResultCache}. */
export interface ResultCacheStats {
  /** Calls that needed no call of their own to the server. */
  readonly hits: number;
  readonly misses: number;
  /** Bytes that the results held take. */
  readonly bytes: number;
}

/**
 * The results of one server's read-only tools, for a while. Results are kept encoded: what they weigh is known to the byte, and no caller can change
 * what the next one gets.
 *
 * Calls that are equal, whatever the order of their arguments' keys, are made once while one is under way. An error a tool answered is never kept.
 */
export class ResultCache {
  readonly #codec: Codec<unknown> = compressed(msgpackCodec, { algorithm: 'gzip', threshold: COMPRESS_FROM });
  readonly #cache: TieredCache<string, Uint8Array>;

  constructor(name: string, ttl: number) {
    const weigh = (bytes: Uint8Array, key: string): number => bytes.byteLength + 2 * key.length + ENTRY_BYTES;
    this.#cache = new TieredCache({ memory: { maxWeight: MAX_BYTES, weigh }, ttl, name });
  }

  /** The result of `call`, from the cache or by `load`; the load is aborted when all that wait for it have left. */
  async getOrLoad(
    call: ToolCall,
    load: (signal: AbortSignal) => Promise<ToolResult>,
    { signal }: Pick<CallOptions, 'signal'>,
  ): Promise<ToolResult> {
    const loader = async (context: { readonly signal: AbortSignal }): Promise<Uint8Array> => {
      const result = await load(context.signal);
      if (result.isError === true) throw new NotKept(result);
      return this.#encode(result);
    };
    try {
      return this.#codec.decode(
        await this.#cache.getOrLoad(cacheKey(call.name, call.arguments), loader, { signal }),
      ) as ToolResult;
    } catch (error) {
      if (error instanceof NotKept) return error.result;
      throw error;
    }
  }

  /** A result that cannot be encoded, for its size say, is an answer all the same. */
  #encode(result: ToolResult): Uint8Array {
    try {
      return this.#codec.encode(result);
    } catch {
      throw new NotKept(result);
    }
  }

  /** Forgets everything; a load that is under way is handed to its callers and not kept. */
  clear(): Promise<void> {
    return this.#cache.clear();
  }

  /** A snapshot. */
  stats(): ResultCacheStats {
    const { memoryHits, coalesced, misses, weight } = this.#cache.stats();
    return { hits: memoryHits + coalesced, misses, bytes: weight };
  }

  close(): Promise<void> {
    return this.#cache.close();
  }
}
