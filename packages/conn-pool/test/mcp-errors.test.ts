import { describe, expect, test } from 'vitest';
import { isMcpConnectionLost } from '../src/mcp.ts';

const error = (message: string, facts: object = {}): Error => Object.assign(new Error(message), facts);

describe('an MCP connection is lost', () => {
  test.each<[string, unknown]>([
    ['SDK 2: the transport closed', error('Connection closed', { code: 'CONNECTION_CLOSED', name: 'SdkError' })],
    ['SDK 2: it was closed before', error('Not connected', { code: 'NOT_CONNECTED' })],
    ['SDK 2: HTTP 404', error('Error POSTing to endpoint', { code: 'CLIENT_HTTP_NOT_IMPLEMENTED', status: 404 })],
    ['SDK 2: HTTP 410', error('Gone', { status: 410 })],
    [
      'SDK 2: 400 that names the session',
      error('Error POSTing to endpoint: Bad Request: No valid session ID provided', { status: 400 }),
    ],
    ['SDK 1: the transport closed', error('MCP error -32000: Connection closed', { code: -32_000, name: 'McpError' })],
    ['SDK 1: it was closed before', error('Not connected')],
    ['SDK 1: HTTP 404', error('Streamable HTTP error: Session not found', { code: 404 })],
    ['a JSON-RPC error about the session', error('Session not found', { code: -32_001, name: 'ProtocolError' })],
    [
      'nobody listens',
      Object.assign(new TypeError('fetch failed'), { cause: error('connect', { code: 'ECONNREFUSED' }) }),
    ],
  ])('%s', (_, lost) => {
    expect(isMcpConnectionLost(lost)).toBe(true);
  });
});

describe('an MCP connection is not lost', () => {
  test.each<[string, unknown]>([
    ['a request timed out in SDK 1', error('MCP error -32001: Request timed out', { code: -32_001, name: 'McpError' })],
    ['a request timed out in SDK 2', error('Request timed out', { code: 'REQUEST_TIMEOUT' })],
    ['a server knows its own 404', error('no such document', { code: 404, name: 'ProtocolError' })],
    ['bad arguments', error('Invalid params', { code: -32_602, name: 'ProtocolError' })],
    ['HTTP 400 about something else', error('Bad Request: unsupported protocol version', { status: 400 })],
    ['HTTP 500', error('oops', { status: 500 })],
    ['an abort', new DOMException('aborted', 'AbortError')],
    ['no error at all', 'Not connected'],
    ['nothing', undefined],
  ])('%s', (_, kept) => {
    expect(isMcpConnectionLost(kept)).toBe(false);
  });
});
