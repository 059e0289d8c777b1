/**
 * How an adaptive limiter moves its limit: pure, one step per window of finished calls.
 *
 * The idea is TCP Vegas's, as Netflix's concurrency-limits applies it to services: while latency stays near what an unloaded server
 * takes, more at once costs nothing; when it rises, calls queue somewhere behind us, and the limit shrinks by the ratio of the two.
 * What an unloaded server takes is measured, as BBR does it, by letting the queue run dry from time to time: a baseline averaged over
 * a loaded server would drift up with the load and the limit with it. It is measured at once when calls are far slower than it, or stay slower
 * though the limit shrinks: then either the server takes fewer at once, and the measurement shows how many, or it has become slower for
 * everybody, and a lower limit would cost throughput for nothing.
 */

/** What the policy remembers from window to window. */
export interface GradientState {
  /** How many may run at once; fractional, so that small steps add up. */
  readonly limit: number;
  /** Milliseconds a call takes on an unloaded server; `undefined` before the first window. */
  readonly baseline: number | undefined;
  /** Windows since the baseline was measured. */
  readonly sinceProbe: number;
  /** After how many it is measured anew. */
  readonly probeAfter: number;
  /** Windows in a row that were slower than tolerated. */
  readonly strained: number;
  /** The limit before those. */
  readonly calm: number;
  /** Present while the baseline is being measured. */
  readonly probe: GradientProbe | undefined;
}

/** The measurement of a baseline: the limit is halved until that makes calls no faster, so that no queue is left. */
export interface GradientProbe {
  /** The limit it began at, and the latency there. */
  readonly from: { readonly limit: number; readonly latency: number };
  /** Latency at the last step. */
  readonly latency: number;
}

/** What was seen of the calls that ended in a window. */
export interface GradientWindow {
  /** Mean latency in milliseconds; `undefined` when only overload was seen. */
  readonly latency: number | undefined;
  /** The standard error of that mean: how far chance may have moved it. @default 0 */
  readonly error?: number;
  /** The most that ran at once. */
  readonly inFlight: number;
  /** The share of the calls that ended in a way that means overload, such as a timeout. */
  readonly overload: number;
}

/** The bounds of the policy. */
export interface GradientBounds {
  readonly minLimit: number;
  readonly maxLimit: number;
  /** How many times the baseline a call may take before the limit shrinks. */
  readonly tolerance: number;
}

/** Of each step, the share that is taken: one odd window moves little. */
const SMOOTHING = { up: 0.2, down: 0.5 };
/** What overload leaves of the limit: the share of the calls that were well, within these. */
const BACKOFF = { least: 0.5, most: 0.9 };
const PROBE_EVERY = 60;
/** The share of the limit that is left while the baseline is measured. */
const PROBE_SHARE = 0.5;
/**
 * When the baseline itself is in doubt: calls that take this many times what is tolerated, or so many slow windows in a row, since a lower limit has not
 * helped. But not sooner after the last measurement than this many windows.
 */
const DOUBT = { slower: 1.4, strained: 5, after: 4 };
/** Less of a difference than this is none. */
const FASTER = 0.9;
/** How many standard errors of a mean are chance. */
const CHANCE = 0.5;
/** How fast the baseline follows the latency of a server that has room: about ten windows. */
const DRIFT = 0.1;

export function initialGradient(limit: number): GradientState {
  return {
    limit,
    baseline: undefined,
    sinceProbe: 0,
    probeAfter: PROBE_EVERY,
    strained: 0,
    calm: limit,
    probe: undefined,
  };
}

/** @param random from 0 to 1: spreads the probes of many processes over time */
export function nextGradient(
  state: GradientState,
  window: GradientWindow,
  bounds: GradientBounds & { readonly random: number },
): GradientState {
  if (state.probe !== undefined) return nextProbe(state, state.probe, { window, bounds });
  const baseline = nextBaseline(state, window);
  const limit = clamp(nextLimit({ ...state, baseline }, window, bounds.tolerance), bounds);
  const isStrained = limit < state.limit && window.overload === 0;
  const next: GradientState = {
    limit,
    baseline,
    sinceProbe: state.sinceProbe + 1,
    probeAfter: state.probeAfter,
    strained: isStrained ? state.strained + 1 : 0,
    calm: isStrained ? state.calm : limit,
    probe: undefined,
  };
  const { latency, error = 0 } = window;
  if (latency === undefined || !isBusy(state, window)) return next;
  if (!isProbeDue(next, latency - error * CHANCE, bounds.tolerance)) return next;
  const probe = { from: { limit: state.limit, latency }, latency };
  return { ...next, limit: clamp(limit * PROBE_SHARE, bounds), probe };
}

function isProbeDue(state: GradientState, latency: number, tolerance: number): boolean {
  const { baseline, strained, sinceProbe, probeAfter } = state;
  if (sinceProbe >= probeAfter) return true;
  if (baseline === undefined || sinceProbe < DOUBT.after) return false;
  return strained >= DOUBT.strained || latency > baseline * tolerance * DOUBT.slower;
}

function nextProbe(
  state: GradientState,
  { from, latency: before }: GradientProbe,
  seen: { readonly window: GradientWindow; readonly bounds: GradientBounds & { readonly random: number } },
): GradientState {
  const { limit, baseline } = state;
  const { bounds } = seen;
  const { latency, error = 0 } = seen.window;
  if (seen.window.overload > 0) {
    // Even this little was too much: nothing is known but that.
    const least = clamp(nextLimit(state, seen.window, bounds.tolerance), bounds);
    return { ...state, limit: least, calm: least, strained: 0, sinceProbe: 0, probe: undefined };
  }
  const isKnown = latency === undefined || (baseline !== undefined && latency <= baseline / FASTER);
  // Faster: a queue was left. Slower: the server itself has just changed, and what was seen before says nothing.
  const isSame = latency !== undefined && Math.abs(latency - before) <= Math.max(before * (1 - FASTER), error * 2);
  if (!isKnown && !isSame && limit > bounds.minLimit) {
    return { ...state, limit: clamp(limit * PROBE_SHARE, bounds), probe: { from, latency } };
  }
  const measured = latency === undefined ? (baseline ?? from.latency) : latency + error * CHANCE;
  const room = (from.limit * measured) / Math.max(from.latency, Number.MIN_VALUE);
  // What ends in a second times what one takes without a queue is what the server works on at once: Little's law. But where no queue was, nothing
  // was wrong with the limit, only with the baseline.
  const next = clamp(measured < from.latency * FASTER ? Math.min(state.calm, room) : state.calm, bounds);
  return {
    limit: next,
    calm: next,
    baseline: measured,
    sinceProbe: 0,
    probeAfter: Math.round(PROBE_EVERY * (0.75 + bounds.random / 2)),
    strained: 0,
    probe: undefined,
  };
}

function nextBaseline({ baseline, limit }: GradientState, window: GradientWindow): number | undefined {
  const { latency, error = 0, inFlight } = window;
  if (latency === undefined || baseline === undefined) return latency ?? baseline;
  // Not the least of all means: with calls that vary, that is one nobody ever sees again.
  if (latency + error * CHANCE < baseline) return latency + error * CHANCE;
  return inFlight * 2 < limit ? baseline + (latency - baseline) * DRIFT : baseline;
}

function nextLimit(state: GradientState, window: GradientWindow, tolerance: number): number {
  const { limit, baseline } = state;
  if (window.overload > 0) return limit * Math.max(BACKOFF.least, Math.min(BACKOFF.most, 1 - window.overload));
  // A limit that is not reached says nothing about a higher one, and is not what slows calls down.
  if (window.latency === undefined || baseline === undefined || !isBusy(state, window)) return limit;
  const tolerated = tolerance * baseline;
  const latency = window.latency - (window.error ?? 0) * CHANCE;
  // Both are 0 when calls take less than the clock can tell.
  if (latency <= tolerated) return limit + Math.sqrt(limit) * SMOOTHING.up;
  return limit + (limit * Math.max(0.5, tolerated / latency) - limit) * SMOOTHING.down;
}

function isBusy({ limit }: GradientState, { inFlight }: GradientWindow): boolean {
  return inFlight * 2 >= limit;
}

function clamp(limit: number, { minLimit, maxLimit }: GradientBounds): number {
  return Math.max(minLimit, Math.min(maxLimit, limit));
}
