import { SdkError, SdkErrorCode } from '@modelcontextprotocol/client';

/** A tool as a server describes it; unknown fields are passed through. */
export interface ToolDescription {
  readonly name: string;
  readonly inputSchema: { readonly type: 'object'; readonly [key: string]: unknown };
  readonly annotations?: ToolAnnotations | undefined;
  readonly [key: string]: unknown;
}

/** What a server says of a tool. Hints only: believed of the servers the operator trusts, and of no others. */
export interface ToolAnnotations {
  readonly readOnlyHint?: boolean | undefined;
  readonly destructiveHint?: boolean | undefined;
  readonly idempotentHint?: boolean | undefined;
  readonly openWorldHint?: boolean | undefined;
}

/** What a tool answered; unknown fields are passed through. */
export interface ToolResult {
  readonly content: readonly { readonly type: string; readonly [key: string]: unknown }[];
  readonly isError?: boolean | undefined;
  readonly [key: string]: unknown;
}

/** One call of a tool, under the name its own server knows. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Whether `error`, of a call, means that no answer came in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout;
}

/**
 * An open session with one MCP server, whatever SDK and protocol revision carry it.
 * Any number of calls may be under way at once.
 */
export interface Session {
  /** The server's process, for one that was started here. */
  readonly pid: number | undefined;
  listTools(options: CallOptions): Promise<ToolDescription[]>;
  callTool(call: ToolCall, options: CallOptions): Promise<ToolResult>;
  ping(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Ends the session and, for a server that was started here, its whole process tree. */
  close(): Promise<void>;
  /** Called once when the session ends, whoever ended it. */
  onclose?: (() => void) | undefined;
  /** Called with errors that belong to no call. */
  onerror?: ((error: Error) => void) | undefined;
  /** Called when the server says that its list of tools has changed. */
  onToolsChanged?: (() => void) | undefined;
}
