import { Batcher } from '@perf/batch';
import type { ConnectionPool, Lease } from '@perf/conn-pool';
import { isMcpConnectionLost, mcpPool } from '@perf/conn-pool/mcp';
import { type Closeable, deadline } from '@perf/core';
import type { ServerConfig } from '../config.ts';
import { ServerUnavailableError } from '../errors.ts';
import { openSession } from './open-session.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { Operation } from './operation.ts';
import { type Session, type ToolCall, type ToolDescription, type ToolResult, isTimeout } from './session.ts';
import { type ToolKind, toolKind } from './tool-kind.ts';

/** Calls of one batch, and batches under way at a time, by the guide's defaults. */
const BATCH_SIZE = 20;
const PARALLEL_BATCHES = 5;
/** Milliseconds a call waits for a session before the gateway says that the server is busy. */
const ACQUIRE_TIMEOUT = 10_000;
const LIST_TIMEOUT = 30_000;
const PING_TIMEOUT = 5_000;

/** Whether the server can be called: `'down'` as long as the last attempt to open a session failed. */
export type UpstreamStatus = 'starting' | 'up' | 'down';

/** How one call is made. */
export interface UpstreamCall extends ToolCall {
  readonly signal?: AbortSignal | undefined;
}

/** A snapshot of an {@link Upstream}. */
export interface UpstreamStats {
  readonly name: string;
  readonly status: UpstreamStatus;
  /** Why it is down. */
  readonly reason: string | undefined;
  readonly tools: number;
  readonly sessions: { readonly open: number; readonly busy: number; readonly waiting: number; readonly max: number };
  readonly batches: { readonly sent: number; readonly meanSize: number };
}

/** What an upstream tells. */
export interface UpstreamEvents {
  /** The list of tools is another than before. */
  readonly onToolsChanged: () => void;
  /** It came up, or went down. */
  readonly onStatus: (status: UpstreamStatus, reason: string | undefined) => void;
}

/** One MCP server behind the gateway: its tools, its pool of sessions, and the batches that calls travel in. */
export class Upstream implements Closeable {
  readonly name: string;
  readonly config: ServerConfig;
  readonly #events: UpstreamEvents;
  readonly #pool: ConnectionPool<Session>;
  readonly #batcher: Batcher<Operation, ToolResult>;
  readonly #started = Promise.withResolvers<void>();
  #status: UpstreamStatus = 'starting';
  #reason: string | undefined;
  #tools: ReadonlyMap<string, ToolDescription> = new Map();
  #calls = 0;
  #closing: Promise<void> | undefined;

  constructor(name: string, config: ServerConfig, events: UpstreamEvents) {
    this.name = name;
    this.config = config;
    this.#events = events;
    this.#batcher = this.#createBatcher();
    this.#pool = mcpPool<Session>({
      name,
      connect: ({ signal }) => this.#connect(signal),
      min: config.minSessions,
      max: config.maxSessions,
      acquireTimeout: ACQUIRE_TIMEOUT,
      onError: (error, operation) => {
        if (operation === 'create') this.#setStatus('down', error);
      },
    });
  }

  /** The server's tools by their own names; those known last, while it is down. */
  get tools(): ReadonlyMap<string, ToolDescription> {
    return this.#tools;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Resolves when the first session has opened or failed to: then the status tells which. It never rejects. */
  async start(): Promise<void> {
    // Without a minimum the pool opens a session only for a caller.
    if (this.config.minSessions === 0) this.#pool.use(() => {}).catch(() => {});
    await this.#started.promise;
  }

  /** The kind of a tool's calls; `undefined` for a tool the server does not have. */
  kindOf(tool: string): ToolKind | undefined {
    const description = this.#tools.get(tool);
    return description && toolKind(description);
  }

  /**
   * Calls a tool. A call that only reads is made again once when its session was lost.
   * @throws ServerUnavailableError while the server is down, or when it was lost before it answered
   */
  async call({ signal, ...call }: UpstreamCall): Promise<ToolResult> {
    // With a minimum of sessions the pool keeps trying by itself; nobody needs to wait for that here.
    if (this.#status === 'down' && this.config.minSessions > 0)
      throw new ServerUnavailableError(this.name, this.#reason);
    const operation = new Operation(call, this.kindOf(call.name) ?? 'write', signal);
    operation.settleLike(this.#batcher.add(operation, { signal }));
    this.#calls++;
    try {
      return await operation.outcome;
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw isMcpConnectionLost(error) ? new ServerUnavailableError(this.name, error) : error;
    }
  }

  /** A snapshot for people. */
  stats(): UpstreamStats {
    const { idle, inUse, waiting, max } = this.#pool.stats();
    const { batches } = this.#batcher.stats();
    return {
      name: this.name,
      status: this.#status,
      reason: this.#reason,
      tools: this.#tools.size,
      sessions: { open: idle + inUse, busy: inUse, waiting, max },
      batches: { sent: batches, meanSize: batches === 0 ? 0 : this.#calls / batches },
    };
  }

  /** Ends running calls, then the server's processes. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#batcher.close({ timeout: 1 });
    await this.#pool.close({ timeout: ACQUIRE_TIMEOUT });
  }

  #createBatcher(): Batcher<Operation, ToolResult> {
    return new Batcher({
      name: this.name,
      maxSize: BATCH_SIZE,
      concurrency: PARALLEL_BATCHES,
      groupBy: ({ kind }) => kind,
      retry: {
        attempts: 2,
        isRetryable: (error, { kind }) => kind === 'read' && isMcpConnectionLost(error),
        isIdempotent: ({ kind }) => kind === 'read',
      },
      execute: (operations, { signal }) => this.#execute(operations, signal),
    });
  }

  async #lease(signal: AbortSignal): Promise<Lease<Session> | Error> {
    try {
      return await this.#pool.acquire({ signal });
    } catch (error) {
      if (signal.aborted) throw error;
      return error as Error;
    }
  }

  async #execute(operations: readonly Operation[], signal: AbortSignal): Promise<(ToolResult | Error)[]> {
    const lease = await this.#lease(signal);
    // Nothing was sent: each call is told so, where a failed batch would leave its outcome open.
    if (lease instanceof Error) return operations.map(() => new ServerUnavailableError(this.name, lease));
    const { connection } = lease;
    const results = await Promise.all(
      operations.map((operation) => operation.runOn(connection, this.config.timeout, signal)),
    );
    void this.#giveBack(lease, results);
    return results;
  }

  /** A process that answered one call too late and does not answer a ping hangs: a new one takes its place. */
  async #giveBack(lease: Lease<Session>, results: readonly (ToolResult | Error)[]): Promise<void> {
    const { connection } = lease;
    let lost = results.find(isMcpConnectionLost);
    if (lost === undefined && connection.pid !== undefined && results.some(isTimeout)) {
      const ping = deadline((signal) => connection.ping({ signal }), {
        timeout: Math.min(PING_TIMEOUT, this.config.timeout),
      });
      lost = await ping.then(
        () => undefined,
        (error: Error) => error,
      );
    }
    if (lost === undefined) lease.release();
    else lease.discard(lost);
  }

  async #connect(signal: AbortSignal): Promise<Session> {
    const session = await openSession(this.config, signal);
    // Before the first list is asked for: it may change while it is on its way.
    session.onToolsChanged = oneAtATime(() => this.#learnTools(session));
    try {
      await this.#learnTools(session, signal);
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#setStatus('up', undefined);
    return session;
  }

  async #learnTools(session: Session, signal?: AbortSignal): Promise<void> {
    const tools = await session.listTools({ signal, timeout: LIST_TIMEOUT });
    const before = JSON.stringify([...this.#tools]);
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    if (JSON.stringify([...this.#tools]) !== before) this.#events.onToolsChanged();
  }

  #setStatus(status: 'up' | 'down', error: unknown): void {
    const reason = error instanceof Error ? error.message : undefined;
    const changed = status !== this.#status || reason !== this.#reason;
    this.#status = status;
    this.#reason = reason;
    this.#started.resolve();
    if (changed && !this.closed) this.#events.onStatus(status, reason);
  }
}
