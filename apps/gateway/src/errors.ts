import { PerfError } from '@perf/core';

/** No server has a tool of this name. */
export class UnknownToolError extends PerfError {
  /** The name that was asked for. */
  readonly tool: string;

  constructor(tool: string) {
    super('PERF_GATEWAY_UNKNOWN_TOOL', `there is no tool "${tool}"`);
    this.tool = tool;
  }

  override get name(): string {
    return 'UnknownToolError';
  }
}

/** The server of the tool is not there, or was lost before it answered. */
export class ServerUnavailableError extends PerfError {
  /** The server's name in the configuration. */
  readonly server: string;

  constructor(server: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('PERF_GATEWAY_SERVER_UNAVAILABLE', `server "${server}" is not available: ${reason}`, { cause });
    this.server = server;
  }

  override get name(): string {
    return 'ServerUnavailableError';
  }
}
