import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { resolveCommand } from '../src/upstream/command.ts';
import { isRunning, serverProcesses } from './support/children.ts';
import { oddServer } from './support/odd-store.ts';
import { type TestWorkspace, createWorkspace } from './support/workspace.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
let workspace: TestWorkspace;

beforeAll(async () => {
  workspace = await createWorkspace();
});

afterAll(() => workspace[Symbol.asyncDispose]());

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...args], (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** Starts `serve` and resolves with its URL. */
async function serve(config: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [CLI, 'serve', '--config', config, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const url = await vi.waitFor(
    () => {
      const [, found] = /(http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(output) ?? [];
      if (found === undefined) throw new Error(`no URL yet: ${output}`);
      return found;
    },
    { timeout: 20_000 },
  );
  return { child, url };
}

describe('perf-gateway serve', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('serves, and on %s ends with all of its servers', async (signal) => {
    const { child, url } = await serve(await workspace.configFile());
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const servers = await serverProcesses(child.pid!);
    expect(servers.length).toBeGreaterThan(0);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    expect(await ended).toBe(0);
    expect(servers.filter(isRunning)).toEqual([]);
  });

  test('killed outright leaves no server behind', async () => {
    const { child } = await serve(await workspace.configFile());
    const servers = await serverProcesses(child.pid!);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(servers.filter(isRunning)).toEqual([]), { timeout: 10_000 });
  });

  test('ends a server that was started through a shell and ignores the end of its input', async () => {
    const stubborn = join(workspace.folder, 'stubborn.mjs');
    const [entry] = resolveCommand({ command: 'npx', args: ['-y', '@modelcontextprotocol/server-everything'] }).args;
    await writeFile(
      stubborn,
      `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); process.argv.push('stdio'); await import(${JSON.stringify(entry)});`,
    );
    const { child } = await serve(
      await workspace.configFile(
        {},
        { stubborn: { command: 'sh', args: ['-c', `"${process.execPath}" "${stubborn}" stdio; true`] } },
      ),
    );
    const servers = await serverProcesses(child.pid!, 'stubborn');
    expect(servers.length).toBeGreaterThanOrEqual(2);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await vi.waitFor(() => expect(servers.filter(isRunning)).toEqual([]), { timeout: 10_000 });
  });
});

describe('perf-gateway, while its servers are starting', () => {
  test.each(['serve', 'stdio'])('%s: a SIGTERM leaves none of them behind', async (command) => {
    const sleeper = {
      command: process.execPath,
      args: ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); 'sleeper'"],
    };
    const config = await workspace.configFile({ disabled: true }, { sleeper });
    const args = [CLI, command, '--config', config, ...(command === 'serve' ? ['--port', '0'] : [])];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
    const servers = await vi.waitFor(
      async () => {
        const found = await serverProcesses(child.pid!, 'sleeper');
        expect(found).not.toEqual([]);
        return found;
      },
      { timeout: 10_000 },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    await vi.waitFor(() => expect(servers.filter(isRunning)).toEqual([]), { timeout: 10_000 });
  });
});

describe('bad input is one clear line and a non-zero exit', () => {
  test('a configuration that is missing or broken', async () => {
    const missing = await run('serve', '--config', '/nowhere/mcp.json', '--port', '0');
    expect(missing).toMatchObject({ code: 1, stderr: 'there is no configuration file /nowhere/mcp.json\n' });
    const broken = join(workspace.folder, 'broken.json');
    await writeFile(broken, '{ "mcpServers": { "a": { "comand": "x" } } }');
    const refused = await run('serve', '--config', broken, '--port', '0');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^[^\n]*mcpServers\.a[^\n]*\n$/);
  });

  test('no server that comes up', async () => {
    const file = join(workspace.folder, 'down.json');
    await writeFile(file, JSON.stringify({ mcpServers: { a: { command: 'no-such-command' } } }));
    const { code, stderr } = await run('serve', '--config', file, '--port', '0');
    expect(code).toBe(1);
    expect(stderr).toContain('server "a" is down: there is no command "no-such-command"');
    expect(stderr).toContain('none of the servers came up');
  });

  test.each([
    [['serve', '--port', 'x'], /--port.*number from 0 to 65535/],
    [['tour', 'moon'], /the tour has no stop "moon"/],
    [['tour', 'toString'], /the tour has no stop "toString"/],
    [['nonsense'], /too many arguments|unknown command/],
  ])('%j', async (args, message) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

test('an interrupted tour takes away what it has made', async () => {
  const temporary = join(workspace.folder, 'tmp');
  await mkdir(temporary);
  const child = spawn(process.execPath, [CLI, 'tour', 'cpu'], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  expect(await ended).toEqual([1, null]);
  expect(await readdir(temporary)).toEqual([]);
});

test('a tour with no place for its flame graph fails before it starts', async () => {
  const { code, stdout } = await run('tour', 'profiler', '--out', join(await workspace.configFile(), 'below-a-file'));
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

test('check says what each server offers, and fails if one is down', async () => {
  const good = await run('check', '--config', await workspace.configFile());
  expect(good).toMatchObject({ code: 0, stdout: expect.stringMatching(/^files: up, \d+ tools\n$/) as string });
  const bad = await run('check', '--config', await workspace.configFile({}, { gone: { command: 'no-such-command' } }));
  expect(bad).toMatchObject({ code: 1, stdout: expect.stringMatching(/gone: down, there is no command/) as string });
});

test('stdio tells its client that the list of tools has changed', async () => {
  const config = await workspace.configFile({ disabled: true }, { odd: oddServer() });
  const client = new Client({ name: 'test', version: '1' });
  const changed = vi.fn();
  client.setNotificationHandler('notifications/tools/list_changed', changed);
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [CLI, 'stdio', '--config', config], stderr: 'ignore' }),
  );
  await client.callTool({ name: 'odd__flood', arguments: {} });
  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), { timeout: 10_000 });
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('odd__extra_0');
  await client.close();
});

test('stdio serves a client over standard input and output, and ends with it', async () => {
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, 'stdio', '--config', await workspace.configFile()],
    stderr: 'ignore',
  });
  await client.connect(transport);
  const { pid } = transport;
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('files__read_file');
  const result = await client.callTool({ name: 'files__read_file', arguments: { path: workspace.path('hello.txt') } });
  expect(JSON.stringify(result.content)).toContain('hello');
  await client.close();
  await vi.waitFor(() => expect(isRunning(pid!)).toBe(false), { timeout: 10_000 });
});
