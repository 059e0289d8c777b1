import { type Closeable, deadline } from '@perf/core';
import { MemoryManager } from '@perf/memory';
import { Limiter } from '@perf/pool';
import type { Profiler } from '@perf/profiler';
import { planBatch } from './batch-plan.ts';
import { CallMeter } from './call-meter.ts';
import type { GatewayConfig } from './config.ts';
import { UnknownToolError } from './errors.ts';
import { ServerTools } from './server-tools.ts';
import { type StoreStats, storeStats } from './store-stats.ts';
import { type ToolRef, nameTools } from './tool-names.ts';
import type { ToolDescription, ToolResult } from './upstream/session.ts';
import type { UpstreamStatus } from './upstream/upstream.ts';

const MAX_IN_FLIGHT = 512;
const MAX_WAITING = 2_048;
/** Milliseconds that calls under way get to finish in when the store closes. */
const GRACE = 5_000;

/** One call of a batch. */
export interface BatchCall {
  /** The public name: `<server>__<tool>`. */
  readonly toolName: string;
  readonly arguments?: Readonly<Record<string, unknown>> | undefined;
}

export interface ToolStoreOptions {
  /** Hears when a server comes up or goes down. */
  readonly onStatus?: ((server: string, status: UpstreamStatus, reason: string | undefined) => void) | undefined;
}

export interface StoreCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Where a public name leads. */
interface Route extends ToolRef {
  readonly tools: ServerTools;
}

/**
 * The tools of all configured servers, behind one door. Each call is profiled, waits for its turn, is answered from the cache where that is safe, travels in a
 * batch with others of its kind, and is made on a pooled session of its server.
 */
export class ToolStore implements Closeable {
  /** Called when the list of tools has changed. */
  onToolsChanged: (() => void) | undefined;
  readonly #memory = new MemoryManager({ name: 'gateway' });
  readonly #meter = new CallMeter();
  readonly #limiter = new Limiter({ name: 'gateway', maxConcurrent: MAX_IN_FLIGHT, maxQueue: MAX_WAITING });
  readonly #servers = new Map<string, ServerTools>();
  readonly #openedAt = performance.now();
  #routes: ReadonlyMap<string, Route> = new Map();
  #closing: Promise<void> | undefined;

  /** Starts nothing yet: see {@link ToolStore.open}. */
  private constructor(config: GatewayConfig, options: ToolStoreOptions) {
    for (const [name, server] of config.servers) {
      const tools = new ServerTools(name, server, {
        onToolsChanged: () => this.#reroute(),
        onStatus: (status, reason) => options.onStatus?.(name, status, reason),
      });
      this.#servers.set(name, tools);
      this.#memory.addReliever(`cache of ${name}`, () => tools.relieve());
    }
  }

  /** Starts every server of the configuration, and resolves when each is up or has failed once; those that failed are tried again in the background. */
  static async open(config: GatewayConfig, options: ToolStoreOptions = {}): Promise<ToolStore> {
    const store = new ToolStore(config, options);
    await Promise.all([...store.#servers.values()].map((server) => server.start()));
    return store;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Times of every call, by public tool name. */
  get profiler(): Profiler {
    return this.#meter.profiler;
  }

  /** Every tool under its public name, in the order of the configuration and of each server's own list. */
  listTools(): ToolDescription[] {
    return [...this.#routes].flatMap(([name, { tools, tool }]) => {
      const description = tools.describe(tool);
      return description === undefined ? [] : [{ ...description, name }];
    });
  }

  /**
   * Calls a tool by its public name. What the tool itself reports as an error is a result with `isError`.
   *
   * @throws UnknownToolError when there is no such tool, before anything is done
   * @throws ServerUnavailableError when its server is down or was lost
   * @throws PoolQueueFullError when too many calls are waiting
   */
  callTool(
    name: string,
    args: Readonly<Record<string, unknown>> = {},
    options: StoreCallOptions = {},
  ): Promise<ToolResult> {
    return this.#call({ toolName: name, arguments: args }, options);
  }

  /**
   * Calls several tools; entry i of the outcome is that of call i. The effect is that of making the calls one after the other: those that cannot affect each other
   * run side by side, in batches by kind. One that fails does not stop the others.
   */
  async batchCall(
    calls: readonly BatchCall[],
    options: StoreCallOptions = {},
  ): Promise<PromiseSettledResult<ToolResult>[]> {
    const outcomes: PromiseSettledResult<ToolResult>[] = Array.from({ length: calls.length });
    const planned = calls.map(({ toolName, arguments: args }) => {
      const route = this.#routes.get(toolName);
      // An unknown tool is of no server, and affects nothing.
      if (route === undefined) return { server: '', writes: false, subject: undefined };
      return route.tools.plan(route.tool, args ?? {});
    });
    const settle = async (index: number): Promise<void> => {
      const [outcome] = await Promise.allSettled([this.#call(calls[index] as BatchCall, options)]);
      outcomes[index] = outcome;
    };
    await Promise.all(
      [...planBatch(planned).values()].map(async (waves) => {
        for (const wave of waves) await Promise.all(wave.map(settle));
      }),
    );
    return outcomes;
  }

  /** A snapshot for the dashboard. */
  stats(): StoreStats {
    const { total, failed, profiler } = this.#meter;
    const { running, waiting } = this.#limiter.stats();
    return storeStats({
      uptime: performance.now() - this.#openedAt,
      calls: { total, failed, inFlight: running + waiting },
      servers: [...this.#servers.values()].map((server) => server.stats()),
      profile: profiler.summary(),
      memory: this.#memory.monitor.stats(),
    });
  }

  /** Refuses new calls, lets running ones finish for a while, then ends every server that was started here. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const drained = this.#limiter.close();
    await deadline(() => drained, { timeout: GRACE }).catch(() => {});
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
    await Promise.all([this.#memory.close(), this.profiler.close()]);
  }

  async #call({ toolName, arguments: args }: BatchCall, options: StoreCallOptions): Promise<ToolResult> {
    const route = this.#routes.get(toolName);
    if (route === undefined) throw new UnknownToolError(toolName);
    const { signal } = options;
    const call = { name: route.tool, arguments: args ?? {}, signal };
    return this.#meter.measure(toolName, () => this.#limiter.run(() => route.tools.call(call), { signal }));
  }

  #reroute(): void {
    const refs = [...this.#servers].flatMap(([server, tools]) => tools.names().map((tool) => ({ server, tool })));
    const routes = [...nameTools(refs)].map(([name, ref]): [string, Route] => [
      name,
      { ...ref, tools: this.#servers.get(ref.server) as ServerTools },
    ]);
    this.#routes = new Map(routes);
    this.onToolsChanged?.();
  }
}
