import type { PlannedCall } from './batch-plan.ts';
import type { ServerConfig } from './config.ts';
import { ResultCache, type ResultCacheStats } from './result-cache.ts';
import type { ToolDescription, ToolResult } from './upstream/session.ts';
import { isCacheable } from './upstream/tool-kind.ts';
import { Upstream, type UpstreamCall, type UpstreamEvents, type UpstreamStats } from './upstream/upstream.ts';

/** A snapshot of one server's part of the store. */
export interface ServerStats extends UpstreamStats {
  readonly cache: ResultCacheStats;
}

/** The tools of one server: which may be answered from the cache, and what a call means for it. */
export class ServerTools {
  readonly #upstream: Upstream;
  readonly #cache: ResultCache | undefined;
  /** Until when a change that nobody waits for any more may still be made. */
  #unsettledUntil = 0;

  constructor(name: string, config: ServerConfig, events: UpstreamEvents) {
    this.#cache = config.cacheTtl === undefined ? undefined : new ResultCache(name, config.cacheTtl);
    this.#upstream = new Upstream(name, config, {
      onStatus: events.onStatus,
      onToolsChanged: () => {
        // Another list may come from another version of the server, with other answers.
        void this.#cache?.clear();
        events.onToolsChanged();
      },
    });
  }

  start(): Promise<void> {
    return this.#upstream.start();
  }

  names(): string[] {
    return [...this.#upstream.tools.keys()];
  }

  describe(tool: string): ToolDescription | undefined {
    return this.#upstream.tools.get(tool);
  }

  /** What a batch has to know of a call. */
  plan(tool: string, args: Readonly<Record<string, unknown>>): PlannedCall {
    const subject = args[this.#upstream.config.orderBy[tool] ?? ''];
    return {
      server: this.#upstream.name,
      writes: this.#upstream.kindOf(tool) !== 'read',
      subject: typeof subject === 'string' ? subject : undefined,
    };
  }

  /** Calls the tool, or answers from the cache. */
  call(call: UpstreamCall): Promise<ToolResult> {
    if (this.#cache === undefined) return this.#upstream.call(call);
    const tool = this.describe(call.name);
    if (tool !== undefined && isCacheable(tool) && performance.now() >= this.#unsettledUntil)
      return this.#callCached(this.#cache, call);
    if (this.#upstream.kindOf(call.name) === 'read') return this.#upstream.call(call);
    return this.#callChanging(this.#cache, call);
  }

  /** Lets go of what can be loaded again. */
  relieve(): void {
    void this.#cache?.clear();
  }

  stats(): ServerStats {
    return { ...this.#upstream.stats(), cache: this.#cache?.stats() ?? { hits: 0, misses: 0, bytes: 0 } };
  }

  async close(): Promise<void> {
    await this.#upstream.close();
    await this.#cache?.close();
  }

  #callCached(cache: ResultCache, call: UpstreamCall): Promise<ToolResult> {
    const { signal, ...rest } = call;
    return cache.getOrLoad(call, (loadSignal) => this.#upstream.call({ ...rest, signal: loadSignal }), { signal });
  }

  /**
   * A change may show from its start on, so nothing read before may be served during it; and what was read during it may be of before, so that goes when it ends.
   */
  async #callChanging(cache: ResultCache, call: UpstreamCall): Promise<ToolResult> {
    await cache.clear();
    try {
      return await this.#upstream.call(call);
    } catch (error) {
      // Aborted, late or lost: the server may make the change all the same, at a time that nobody will hear of.
      this.#unsettledUntil = performance.now() + this.#upstream.config.timeout;
      throw error;
    } finally {
      await cache.clear();
    }
  }
}
