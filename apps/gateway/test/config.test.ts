import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, parseConfig } from '../src/config.ts';

const parse = (value: unknown): ReturnType<typeof parseConfig> =>
  parseConfig(JSON.stringify(value), '/etc/gateway/mcp.json');

describe('a configuration', () => {
  test('is read in the format of desktop clients, with defaults for what is the gateway’s own', () => {
    const { servers } = parse({
      theme: 'other settings of a client stay out of the way',
      mcpServers: {
        files: { command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', 'notes'], cwd: 'data' },
        remote: {
          type: 'http',
          url: 'https://example.com/mcp',
          headers: { authorization: 'Bearer x' },
          cacheTtl: 5_000,
        },
        off: { command: 'x', disabled: true },
      },
    });
    expect([...servers.keys()]).toEqual(['files', 'remote']);
    expect(servers.get('files')).toMatchObject({
      cwd: '/etc/gateway/data',
      env: {},
      maxSessions: 4,
      minSessions: 1,
      timeout: 60_000,
    });
    expect(servers.get('files')).not.toHaveProperty('cacheTtl');
    expect(servers.get('remote')).toMatchObject({ url: 'https://example.com/mcp', cacheTtl: 5_000 });
  });

  test.each([
    [{}, /`mcpServers`/],
    [[], /mcp\.json: .*expected object/i],
    [{ mcpServers: {} }, /names no enabled server/],
    [{ mcpServers: { a: { disabled: true, command: 'x' } } }, /names no enabled server/],
    [{ mcpServers: { a: {} } }, /`mcpServers\.a\.command`/],
    [{ mcpServers: { a: { command: '' } } }, /`mcpServers\.a\.command`/],
    [{ mcpServers: { a: { command: 'x', args: [1] } } }, /`mcpServers\.a\.args\.0`/],
    [{ mcpServers: { a: { comand: 'x', command: 'x' } } }, /comand/],
    [{ mcpServers: { a: { url: 'ftp://x' } } }, /`mcpServers\.a\.url`/],
    [{ mcpServers: { a: { command: 'x', maxSessions: 0 } } }, /`mcpServers\.a\.maxSessions`/],
    [
      { mcpServers: { a: { command: 'x', minSessions: 3, maxSessions: 2 } } },
      /`mcpServers\.a\.minSessions` \(3\) is above `maxSessions` \(2\)/,
    ],
    [{ mcpServers: { a: { command: 'x', cacheTtl: -1 } } }, /`mcpServers\.a\.cacheTtl`/],
    [{ mcpServers: { a: 'npx' } }, /`mcpServers\.a`/],
  ])('that is wrong (%j) is refused in one line that names the place', (value, message) => {
    expect(() => parse(value)).toThrow(ConfigError);
    expect(() => parse(value)).toThrow(message);
    expect(() => parse(value)).toThrow(/^[^\n]+$/);
  });

  test('that is missing, unreadable or no JSON is refused in one line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'perf-config-'));
    await expect(loadConfig(join(folder, 'none.json'))).rejects.toThrow(
      /^there is no configuration file .*none\.json$/,
    );
    await expect(loadConfig(folder)).rejects.toThrow(/^the configuration file .* cannot be read \(EISDIR\)$/);
    writeFileSync(join(folder, 'bad.json'), '{ "mcpServers": ');
    await expect(loadConfig(join(folder, 'bad.json'))).rejects.toThrow(/^.*bad\.json is not valid JSON: [^\n]+$/);
    writeFileSync(join(folder, 'bom.json'), '\uFEFF{ "mcpServers": { "a": { "command": "x" } } }');
    expect((await loadConfig(join(folder, 'bom.json'))).servers.size).toBe(1);
  });
});
