import {
  type CallToolResult,
  type McpHttpHandler,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  createMcpHandler,
} from '@modelcontextprotocol/server';
import { isPerfError } from '@perf/core';
import { IDENTITY } from './identity.ts';
import type { ToolStore } from './tool-store.ts';

const INSTRUCTIONS = 'The tools of several MCP servers, each named <server>__<tool>.';

/**
 * The one MCP endpoint over all servers: Streamable HTTP, revision 2026-07-28 and those of 2025. Nothing is kept between two requests.
 */
export function createEndpoint(store: ToolStore): McpHttpHandler {
  const handler = createMcpHandler(() => createServer(store));
  store.onToolsChanged = () => handler.notify.toolsChanged();
  return handler;
}

/** A protocol server that answers from the store; made for each request, or for each connection over stdio. */
export function createServer(store: ToolStore): Server {
  const server = new Server(IDENTITY, { capabilities: { tools: { listChanged: true } }, instructions: INSTRUCTIONS });
  server.setRequestHandler('tools/list', () => ({ tools: store.listTools() }));
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    try {
      const result = await store.callTool(params.name, params.arguments ?? {}, { signal: mcpReq.signal });
      // It is what a client of the same SDK read from the tool's server.
      return result as unknown as CallToolResult;
    } catch (error) {
      throw toProtocolError(error);
    }
  });
  return server;
}

/** A tool that failed has answered `isError`; what is thrown is about the call itself, and the protocol has codes for that. */
function toProtocolError(error: unknown): unknown {
  if (isPerfError(error, 'PERF_GATEWAY_UNKNOWN_TOOL'))
    return new ProtocolError(ProtocolErrorCode.InvalidParams, error.message);
  if (isPerfError(error))
    return new ProtocolError(ProtocolErrorCode.InternalError, error.message, { code: error.code });
  return error;
}
