export { type GatewayConfig, ConfigError, loadConfig, parseConfig } from './config.ts';
export { ServerUnavailableError, UnknownToolError } from './errors.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
export { type BatchCall, ToolStore, type ToolStoreOptions } from './tool-store.ts';
export type { ToolDescription, ToolResult } from './upstream/session.ts';
