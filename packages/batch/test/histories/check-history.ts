import { isPerfError } from '@perf/core';
import { type History, IN_PEACE, type Op, mostSent, partsOf } from './history.ts';
import type { Run, Trace } from './run-history.ts';
import { type State, apply, keyOf } from './store.ts';

/**
 * Everything about a run that is not as promised; nothing when all is well.
 *
 * The sequential model: replay, in the order added, the operations the store has carried out at least once; for each key, or for all of them in strict
 * order. Every result a caller was given, and the state the store ends in, must be what that replay gives. Two freedoms are left: an operation that was carried
 * out in one attempt, and refused in its last, may or may not count; its caller was told that it failed. And so may one with an unknown outcome in a batcher
 * closed by force: it may have been carried out, then one before it again, and then not itself.
 */
export function problemsOf(history: History, run: Run): string[] {
  return [
    ...run.store.problems,
    ...lifeProblems(history, run),
    ...run.traces.flatMap((trace) => traceProblems(history, run, trace)),
    ...modelProblems(history, run),
  ];
}

function lifeProblems({ maxPending, closeAt }: History, run: Run): string[] {
  const { traces, stats, report, timersLeft, flushed, pendingAtClose } = run;
  const problems: string[] = [];
  const { pending, parked, inFlight, groups, orderingKeys, pendingBytes } = stats;
  if (pending + parked + inFlight + groups + orderingKeys + pendingBytes > 0)
    problems.push(`something is left: ${JSON.stringify(stats)}`);
  if (stats.succeeded + stats.failed + stats.withdrawn + stats.expired !== stats.added)
    problems.push(`counts do not add up: ${JSON.stringify(stats)}`);
  if (report === undefined) problems.push('close did not resolve');
  if (timersLeft > 0) problems.push('timers are left');
  if (closeAt === IN_PEACE && pendingAtClose > 0) problems.push(`${pendingAtClose} operations were left lying`);
  if (!flushed) problems.push('flush resolved too early, or not at all');
  if (
    maxPending === Infinity &&
    traces.some((trace) => isPerfError(reasonOf(trace), 'PERF_BATCH_FULL') && !/bytes/.test(String(reasonOf(trace))))
  )
    problems.push('refused without a limit');
  return problems;
}

function reasonOf({ outcome }: Trace): unknown {
  return outcome?.status === 'rejected' ? outcome.reason : undefined;
}

/** How often an operation was sent and carried out, against what its caller was told. */
function traceProblems(history: History, { store, report }: Run, trace: Trace): string[] {
  const { share, merges } = history;
  const { op, outcome, settled, sentWhenAborted } = trace;
  const problems: string[] = [];
  const say = (wrong: boolean, problem: string): void =>
    void (wrong && problems.push(`operation ${op.id}: ${problem}`));
  const sent = store.sent.get(op.id) ?? 0;
  const applied = store.applied.get(op.id) ?? 0;
  say(settled !== 1, `settled ${settled} times`);
  say(sent > mostSent(history), 'sent too often');
  say(applied > 1 && op.kind === 'append', 'carried out twice, though not idempotent');
  // Others may wait for what it shares, or has become part of.
  const together = op.kind === 'read' ? share : merges;
  say(sentWhenAborted === false && sent > 0 && !together, 'sent after it was aborted');
  const unsent = report?.unsent.some((each) => partsOf(each).includes(op.id)) === true;
  say(unsent && applied > 0, 'reported as unsent, but carried out');
  // Such a read may be sent for another caller, or not be sent because another was.
  const shared = share && op.kind === 'read';
  if (outcome?.status === 'fulfilled') {
    say(applied === 0 && !shared, 'succeeded, but was not carried out');
    if (op.kind !== 'read') say(!isResultOf(outcome.value, op), `got the result of another: ${outcome.value}`);
    return problems;
  }
  const expected = rejectionOf(trace, history);
  if (expected === undefined) say(true, `rejected with ${String(reasonOf(trace))}`);
  else if (expected === 'unsent')
    say(applied > 0 && !shared, `told that it was not sent, with ${String(reasonOf(trace))}`);
  else if (expected === 'refused') say(applied > 0 && op.kind === 'append', 'refused, but carried out');
  return problems;
}

/** Its own result, or that of the one it was merged into. */
function isResultOf(value: string, op: Op): boolean {
  return value.startsWith(`${op.kind} `) && value.split(' ').includes(`${op.id}`);
}

/** What a caller may conclude from a rejection; `undefined` for one that should not be. */
function rejectionOf(trace: Trace, { bisect, merges }: History): 'unsent' | 'unknown' | 'refused' | undefined {
  const { op } = trace;
  const reason = reasonOf(trace);
  if (reason === 'given up') return op.abortAfter === undefined ? undefined : 'unknown';
  if (isPerfError(reason, 'PERF_BATCH_FULL')) return 'unsent';
  if (isPerfError(reason, 'PERF_BATCH_DEADLINE') || isPerfError(reason, 'PERF_BATCH_CLOSED')) {
    return (reason as unknown as { outcomeUnknown: boolean }).outcomeUnknown ? 'unknown' : 'unsent';
  }
  if (['PERF_BATCH_FAILED', 'PERF_BATCH_RESULT', 'PERF_BATCH_TIMEOUT'].some((code) => isPerfError(reason, code)))
    return 'unknown';
  if (!(reason instanceof Error)) return undefined;
  if (reason.message === `refused ${op.id}`) return 'refused';
  // Under the name of the first it was merged with.
  if (merges && op.kind !== 'read' && /^refused \d+$/.test(reason.message)) return 'refused';
  // Found to be at fault, which only what may be repeated can be.
  if (bisect && op.kind !== 'append' && /^(?:rejectBefore|rejectAfter|threw)$/.test(reason.message)) return 'unknown';
  // A shared read is refused under the name of the one it shared.
  return op.kind === 'read' && /^refused \d+$/.test(reason.message) ? 'unknown' : undefined;
}

function modelProblems(history: History, { store, traces }: Run): string[] {
  const lanes =
    history.order === 'strict' ? [traces] : [...Map.groupBy(traces, ({ op }) => keyOf(history, op)).values()];
  return lanes.flatMap((lane) => {
    const ends = replays(history, store, lane);
    const keys = new Set(lane.map(({ op }) => keyOf(history, op)));
    const fits = ends.some((state) => [...keys].every((key) => state.get(key) === store.state.get(key)));
    return fits ? [] : [`no sequential program gives these results: ${describe(lane)}`];
  });
}

/** The states a replay can end in that gives every caller the result it was given. */
function replays(history: History, store: Run['store'], lane: readonly Trace[]): State[] {
  let states: State[] = [new Map()];
  for (const { op, outcome } of lane) {
    const key = keyOf(history, op);
    if (outcome?.status === 'fulfilled') {
      states = states.filter((state) => {
        const result = apply(state, key, op);
        return op.kind !== 'read' || result === outcome.value;
      });
    } else if (store.applied.has(op.id) && op.kind !== 'read') {
      const optional = store.refusedLast.has(op.id) || history.closeTimeout !== undefined;
      const without = optional ? states.map((state) => new Map(state)) : [];
      for (const state of states) apply(state, key, op);
      states = [...states, ...without];
    }
  }
  return states;
}

function describe(lane: readonly Trace[]): string {
  return lane
    .map(({ op, outcome }) => `${op.kind} ${op.id} ${outcome?.status === 'fulfilled' ? outcome.value : 'rejected'}`)
    .join(', ');
}
