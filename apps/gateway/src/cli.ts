#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';

const SAMPLE_CONFIG = fileURLToPath(new URL('../mcp.json', import.meta.url));
const configOption = [
  '-c, --config <file>',
  'the servers, in the `mcpServers` format of MCP clients',
  SAMPLE_CONFIG,
] as const;

const program = new Command('perf-gateway').description(
  'One MCP endpoint over many MCP servers, made fast by the @perf packages.',
);

program
  .command('serve', { isDefault: true })
  .description('serve over Streamable HTTP on this machine, with a live page')
  .option(...configOption)
  .option('-p, --port <number>', 'TCP port on 127.0.0.1; 0 for any free one', parsePort, 3917)
  .action(async (flags: { config: string; port: number }) => (await import('./serve.ts')).serve(flags));

program
  .command('stdio')
  .description('serve one client on standard input and output')
  .option(...configOption)
  .action(async (flags: { config: string }) => (await import('./stdio.ts')).stdio(flags.config));

program
  .command('check')
  .description('start every server once, say what each offers, and fail if one does not come up')
  .option(...configOption)
  .action(async (flags: { config: string }) => {
    if (!(await (await import('./check.ts')).check(flags.config))) process.exitCode = 1;
  });

program
  .command('tour')
  .description('show each package at work on real parts, and print what was measured')
  .argument('[stops...]', 'cpu, memory, cache, batch, connections, profiler; all of them by default')
  .option('-o, --out <folder>', 'where to put the flame graph', 'perf-tour')
  .action(async (stops: string[], flags: { out: string }) => (await import('./tour/tour.ts')).tour(stops, flags.out));

program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('must be a number from 0 to 65535');
  return port;
}
