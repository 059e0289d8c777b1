import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';

/** The configuration cannot be used. The message is one line that says what to change. */
export class ConfigError extends Error {
  override get name(): string {
    return 'ConfigError';
  }
}

/** The settings of every entry, however its server is reached. */
const gatewayOptions = {
  /** Leaves the server out. */
  disabled: z.boolean().default(false),
  /** How many sessions (for a stdio server: processes) at most. */
  maxSessions: z.int().min(1).max(64).default(4),
  /** How many sessions stay open while idle. */
  minSessions: z.int().min(0).max(64).default(1),
  /** Milliseconds a tool call may take. */
  timeout: z.number().positive().max(3_600_000).default(60_000),
  /**
   * Milliseconds a result may be served again; absent: never. Only for tools that the server, which is thereby trusted, declares read-only and closed-world.
   */
  cacheTtl: z.number().positive().max(86_400_000).optional(),
  /**
   * Which argument of a tool names what it works on (`{ "write_file": "path" }`). Calls of one batch that name different things run side by side;
   * a tool that is not listed waits for all changes before it.
   */
  orderBy: z.record(z.string(), z.string()).default({}),
};

const stdioServer = z.strictObject({
  type: z.literal('stdio').optional(),
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  /** Relative to the folder of the configuration, which is also the default. */
  cwd: z.string().optional(),
  ...gatewayOptions,
});

const httpServer = z.strictObject({
  type: z.enum(['http', 'streamable-http']).optional(),
  url: z.url({ protocol: /^https?$/ }),
  headers: z.record(z.string(), z.string()).default({}),
  ...gatewayOptions,
});

const configSchema = z.object({
  mcpServers: z.record(z.string().min(1).max(64), z.unknown()),
});

/** A server to be started as a process and spoken to over its standard streams. */
export type StdioServer = z.infer<typeof stdioServer> & { readonly cwd: string };
/** A server reached over Streamable HTTP. */
export type HttpServer = z.infer<typeof httpServer>;
/** One entry of `mcpServers`. */
export type ServerConfig = StdioServer | HttpServer;

export interface GatewayConfig {
  /** Where it was read from. */
  readonly file: string;
  /** By name, in the order of the file; disabled ones are left out. */
  readonly servers: ReadonlyMap<string, ServerConfig>;
}

/**
 * Reads a configuration in the `mcpServers` format of desktop MCP clients.
 * @throws ConfigError with one line: what is wrong, where
 */
export async function loadConfig(path: string): Promise<GatewayConfig> {
  const file = resolve(path);
  return parseConfig(await readText(file), file);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new ConfigError(`there is no configuration file ${file}`, { cause: error });
    throw new ConfigError(`the configuration file ${file} cannot be read (${code ?? String(error)})`, { cause: error });
  }
}

/** Checks the text of a configuration; `file` is where it stands, for messages and relative paths. */
export function parseConfig(text: string, file: string): GatewayConfig {
  const { mcpServers } = check(configSchema, parseJson(text, file), { file, path: [] });
  const servers = new Map<string, ServerConfig>();
  for (const [name, entry] of Object.entries(mcpServers)) {
    const server = parseServer(entry, { file, path: ['mcpServers', name] });
    if (!server.disabled) servers.set(name, server);
  }
  if (servers.size === 0) throw new ConfigError(`${file}: \`mcpServers\` names no enabled server`);
  return { file, servers };
}

function parseJson(text: string, file: string): unknown {
  try {
    // A byte order mark is what some editors put first, and JSON does not allow.
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new ConfigError(`${file} is not valid JSON: ${(error as Error).message}`, { cause: error });
  }
}

interface Place {
  readonly file: string;
  readonly path: readonly string[];
}

function parseServer(entry: unknown, place: Place): ServerConfig {
  const isHttp = typeof entry === 'object' && entry !== null && 'url' in entry;
  const server = isHttp ? check(httpServer, entry, place) : check(stdioServer, entry, place);
  if (server.minSessions > server.maxSessions) {
    const where = place.path.join('.');
    throw new ConfigError(
      `${place.file}: \`${where}.minSessions\` (${server.minSessions}) is above \`maxSessions\` (${server.maxSessions})`,
    );
  }
  if ('url' in server) return server;
  return { ...server, cwd: resolve(dirname(place.file), server.cwd ?? '.') };
}

function check<T extends z.ZodType>(schema: T, value: unknown, { file, path }: Place): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = [...path, ...(issue?.path ?? [])].map(String).join('.');
  throw new ConfigError(`${file}: ${where === '' ? '' : `\`${where}\`: `}${issue?.message ?? 'is not valid'}`);
}
