// An MCP server over standard input and output that misbehaves as its arguments say; its state is one text, `v0` at first.
import { appendFileSync, closeSync } from 'node:fs';

const modes = new Set(process.argv.slice(2));
let state = 'v0';
let extra = 0;
let lists = 0;

if (modes.has('stubborn')) {
  process.on('SIGTERM', () => {});
  setInterval(() => {}, 1_000);
}
if (modes.has('garbage')) console.log('Listening!\n{"a":\n[1]\nnull');

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const changed = () => send({ method: 'notifications/tools/list_changed' });

const die = ({ log }) => {
  appendFileSync(log, 'called\n');
  process.exit();
};

const tools = {
  die_reading: die,
  die_setting: die,
  get: () => state,
  lists: () => String(lists),
  set: ({ value }) => (state = value),
  // Makes the change when it is told to, and never answers.
  set_later: ({ value }) => {
    process.once('SIGUSR2', () => (state = value));
  },
  never: () => undefined,
  big: ({ bytes }) => 'x'.repeat(bytes),
  structured: () => 'no structure',
  close_output: () => {
    setInterval(() => {}, 1_000);
    closeSync(1);
  },
  flood: () => {
    extra++;
    for (let time = 0; time < 1_000; time++) changed();
    return 'flooded';
  },
};

const describe = (name) => ({
  name,
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: !/set|flood|lists/.test(name), openWorldHint: false },
  ...(name === 'structured' && { outputSchema: { type: 'object', properties: { a: { pattern: '(' } } } }),
});

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: modes.has('toolless') ? {} : { tools: { listChanged: true } },
    serverInfo: { name: 'odd', version: '1' },
  }),
  ping: () => ({}),
  'tools/list': () => {
    lists++;
    // Right behind the list it makes out of date.
    if (modes.has('changing') && lists === 1) {
      extra = 1;
      setImmediate(changed);
      return { tools: [describe('get')] };
    }
    return { tools: [...Object.keys(tools), ...Array.from({ length: extra }, (_, i) => `extra_${i}`)].map(describe) };
  },
  'tools/call': ({ name, arguments: args }) => {
    const text = tools[name](args);
    return typeof text === 'string' ? { content: [{ type: 'text', text }] } : undefined;
  },
};

let rest = '';
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line);
    const result = methods[method]?.(params);
    if (id === undefined || result === undefined) continue;
    setTimeout(() => send({ id, result }), modes.has('late') && method === 'initialize' ? 1_000 : 0);
  }
});
process.stdin.on('end', () => {
  if (!modes.has('stubborn')) process.exit();
});
