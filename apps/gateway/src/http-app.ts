import { readFileSync } from 'node:fs';
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import { Hono } from 'hono';
import type { Telemetry } from './telemetry.ts';
import type { ToolStore } from './tool-store.ts';

const DASHBOARD = readFileSync(new URL('./dashboard.html', import.meta.url), 'utf8');

/** What the routes answer from. */
export interface HttpParts {
  readonly store: ToolStore;
  readonly endpoint: McpHttpHandler;
  readonly telemetry: Telemetry;
  /** Renders a flame graph of the process over the coming milliseconds. */
  readonly flame: (milliseconds: number) => Promise<string>;
}

/** The gateway's routes. Only pages and programs of this machine are served: a web page elsewhere must not reach the tools through a browser here. */
export function createHttpApp({ store, endpoint, telemetry, flame }: HttpParts): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    const { raw } = context.req;
    const refused =
      hostHeaderValidationResponse(raw, localhostAllowedHostnames()) ??
      originValidationResponse(raw, localhostAllowedOrigins());
    if (refused !== undefined) return refused;
    return next();
  });
  app.all('/mcp', (context) => endpoint.fetch(context.req.raw));
  app.get('/', (context) => context.html(DASHBOARD));
  app.get('/stats', (context) => context.json(store.stats()));
  app.get('/healthz', (context) => context.json({ status: 'ok' }));
  app.get('/readyz', (context) => {
    const servers = Object.fromEntries(
      store.stats().servers.map(({ name, status, reason }) => [name, { status, reason }]),
    );
    const ready = Object.values(servers).some(({ status }) => status === 'up');
    return context.json({ ready, servers }, ready ? 200 : 503);
  });
  app.get('/metrics', async (context) =>
    context.text(await telemetry.prometheus(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  );
  app.get('/flame', async (context) => {
    const seconds = Number(context.req.query('seconds') ?? 2);
    if (!(seconds > 0 && seconds <= 30)) return context.text('`seconds` must be above 0 and at most 30\n', 400);
    return context.html(await flame(seconds * 1_000));
  });
  return app;
}
