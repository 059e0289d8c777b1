import { type Server as HttpServer, type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import type { Closeable } from '@perf/core';
import { ConfigError, type GatewayConfig } from './config.ts';
import { FlameService } from './flame.ts';
import { createHttpApp } from './http-app.ts';
import { createEndpoint } from './mcp-endpoint.ts';
import { type Telemetry, startTelemetry } from './telemetry.ts';
import { ToolStore, type ToolStoreOptions } from './tool-store.ts';

const HOST = '127.0.0.1';
/** Milliseconds that requests under way get to finish before their connections are cut. */
const GRACE = 5_000;

export interface GatewayOptions extends ToolStoreOptions {
  /** 0 takes any free port. */
  readonly port: number;
}

interface Parts {
  readonly store: ToolStore;
  readonly endpoint: McpHttpHandler;
  readonly flames: FlameService;
  readonly telemetry: Telemetry;
  readonly http: HttpServer;
}

/** A running gateway: the store of tools, and the HTTP server in front of it. */
export class Gateway implements Closeable {
  readonly store: ToolStore;
  readonly #parts: Parts;
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.store = parts.store;
    this.#parts = parts;
  }

  /**
   * Starts the HTTP server, on this machine's own address only, and every configured MCP server.
   * @throws ConfigError with one line when the port cannot be had, before any server is started
   */
  static async start(config: GatewayConfig, options: GatewayOptions): Promise<Gateway> {
    const http = createServer();
    let handle: RequestListener = (_, response) =>
      void response.writeHead(503, { 'retry-after': '1' }).end('starting\n');
    http.on('request', (request, response) => handle(request, response));
    await listen(http, options.port);
    const telemetry = startTelemetry();
    const store = await ToolStore.open(config, options);
    const endpoint = createEndpoint(store);
    const flames = new FlameService();
    const app = createHttpApp({ store, endpoint, telemetry, flame: (milliseconds) => flames.record(milliseconds) });
    const answer = getRequestListener(app.fetch);
    handle = (request, response) => void answer(request, response);
    return new Gateway({ store, endpoint, flames, telemetry, http });
  }

  /** `http://127.0.0.1:<port>` */
  get url(): string {
    const { port } = this.#parts.http.address() as AddressInfo;
    return `http://${HOST}:${port}`;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Takes no new connections, lets running calls finish for a while, then ends every server that was started here. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { store, endpoint, flames, telemetry, http } = this.#parts;
    const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
    http.closeIdleConnections();
    const cut = setTimeout(() => http.closeAllConnections(), GRACE);
    await store.close();
    await endpoint.close();
    http.closeAllConnections();
    await stopped;
    clearTimeout(cut);
    await Promise.all([flames.close(), telemetry.close()]);
  }
}

function listen(http: HttpServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'is in use; choose another one with --port'
          : `cannot be had (${error.code ?? error.message})`;
      reject(new ConfigError(`port ${port} of ${HOST} ${why}`, { cause: error }));
    });
    http.listen(port, HOST, resolve);
  });
}
