/** What errors of the MCP SDKs, 1 and 2, may carry. */
interface McpErrorLike {
  /** A string of SDK 2, a JSON-RPC code, or, in SDK 1, an HTTP status. */
  readonly code?: unknown;
  /** The HTTP status, in SDK 2. */
  readonly status?: unknown;
}

/** `SdkErrorCode` of SDK 2. */
const CLOSED_CODES: readonly unknown[] = ['CONNECTION_CLOSED', 'NOT_CONNECTED'];
/** The peer's machine answers, but nobody is there any more. */
const SOCKET_CODES: readonly unknown[] = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'];
/** JSON-RPC codes servers use for an unknown session, and the HTTP status some answer instead of 404. */
const SESSION_CODES: readonly unknown[] = [-32_000, -32_001, 400];
const SESSION_UNKNOWN =
  /session\b.{0,40}\b(not found|expired|unknown|invalid|terminated)|\b(unknown|invalid|no valid|missing)\b.{0,20}\bsession/i;
/** Errors that a server sent as JSON-RPC: their codes are the server's own, and 404 may be about anything. */
const WIRE_ERRORS: readonly unknown[] = ['McpError', 'ProtocolError'];

/**
 * Whether `error`, thrown by a call on an MCP client, means that its connection or session is gone: the transport closed, the server
 * answered 404 or 410, or it does not know the session id (for which some answer 400). Not a timeout, and not an error a tool answered.
 */
export function isMcpConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, status, name, message, cause } = error as McpErrorLike & Error;
  if (CLOSED_CODES.includes(code) || message === 'Not connected') return true;
  if (code === -32_000 && message.includes('Connection closed')) return true;
  const statuses = WIRE_ERRORS.includes(name) ? [status] : [status, code];
  if (statuses.some((each) => each === 404 || each === 410)) return true;
  if ([code, status].some((each) => SESSION_CODES.includes(each)) && SESSION_UNKNOWN.test(message)) return true;
  return SOCKET_CODES.includes((cause as McpErrorLike | undefined)?.code);
}

/** Whether the protocol revision the client speaks has no `ping`. */
export function isMcpPingUnsupported(error: unknown): boolean {
  return (error as McpErrorLike | undefined)?.code === 'METHOD_NOT_SUPPORTED_BY_PROTOCOL_VERSION';
}
