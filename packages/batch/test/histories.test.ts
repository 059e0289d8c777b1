import { seededRandom } from '@perf/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { problemsOf } from './histories/check-history.ts';
import { drawHistory } from './histories/history.ts';
import { runHistory } from './histories/run-history.ts';

/** `PERF_HISTORIES=1` and `PERF_SEED=<the seed of a failure>` play that one again. */
const HISTORIES = Number(process.env['PERF_HISTORIES'] ?? 100_000);
const SEED = Number(process.env['PERF_SEED'] ?? Date.now() % 1e9);

test(`each of ${HISTORIES} random histories comes out as a sequential program would, from seed ${SEED}`, async () => {
  const { stackTraceLimit } = Error;
  onTestFinished(() => void (Error.stackTraceLimit = stackTraceLimit));
  // A hundred thousand histories have as many errors, and a stack costs more than the rest of each.
  Error.stackTraceLimit = 0;
  for (let seed = SEED; seed < SEED + HISTORIES; seed++) {
    const random = seededRandom(seed);
    const history = drawHistory(random);
    const problems = problemsOf(history, await runHistory(history, random));
    if (problems.length > 0)
      expect.fail(`seed ${seed}: ${problems.join('; ')}\n${JSON.stringify(history, undefined, 1)}`);
  }
}, 300_000);
