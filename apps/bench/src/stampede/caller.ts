// One of the processes of a stampede: `node caller.ts <contender> <Redis URL>`. Told a key and a number of callers, it has them all ask at once, and reports what came of it.
import { setTimeout as delay } from 'node:timers/promises';
import { CONTENDERS } from './contenders.ts';

/** What the parent asks for. */
export interface Call {
  readonly key: string;
  readonly callers: number;
}

/** What came of a {@link Call}. */
export interface Outcome {
  /** How often the loader ran in this process. */
  readonly loads: number;
  /** What the callers were given: `undefined` and failures as text too. */
  readonly values: readonly string[];
}

const LOAD_TIME = 50;
const [name = '', url = ''] = process.argv.slice(2);
let loads = 0;

async function load(key: string): Promise<string> {
  loads++;
  await delay(LOAD_TIME);
  return `the value of ${key}`;
}

const cache = CONTENDERS[name]?.(url, load);
if (cache === undefined) throw new Error(`there is no contender "${name}"`);

async function ask({ key, callers }: Call): Promise<Outcome> {
  loads = 0;
  const calls = Array.from({ length: callers }, () => cache?.get(key));
  const values = await Promise.all(calls.map((call) => Promise.resolve(call).then(String, String)));
  return { loads, values: [...new Set(values)] };
}

process.on('message', (call: Call) => void ask(call).then((outcome) => process.send?.(outcome)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
