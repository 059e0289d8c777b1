/**
 * How an adaptive limiter moves its limit: pure, one step per window of finished calls.
 *
 * The idea is TCP Vegas's, as Netflix's concurrency-limits applies it to services: while latency stays near what an unloaded server
 * takes, more at once costs nothing; when it rises, calls queue somewhere behind us, and the limit shrinks by the ratio of the two.
 * What an unloaded server takes is measured, as BBR does it, by letting the queue run dry from time to time: a baseline averaged over
 * a loaded server would drift up with the load and the limit with it.
 */

/** What the policy remembers from window to window. */
export interface GradientState {
  /** How many may run at once; fractional, so that small steps add up. */
  readonly limit: number;
  /** Milliseconds a call takes on an unloaded server; `undefined` before the first window. */
  readonly baseline: number | undefined;
  /** Windows left until the baseline is measured anew. */
  readonly untilProbe: number;
  /** Present while the baseline is being measured. */
  readonly probe: GradientProbe | undefined;
}

/** The measurement of a baseline: the limit is halved until that makes calls no faster, so that no queue is left. */
export interface GradientProbe {
  /** The limit to go back to. */
  readonly resume: number;
  /** Latency at the last step; `Infinity` before the first. */
  readonly latency: number;
}

/** What was seen of the calls that ended in a window. */
export interface GradientWindow {
  /** Mean latency in milliseconds; `undefined` when only overload was seen. */
  readonly latency: number | undefined;
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
const SMOOTHING = 0.2;
/** What overload leaves of the limit: the share of the calls that were well, within these. */
const BACKOFF = { least: 0.5, most: 0.9 };
const PROBE_EVERY = 40;
/** The share of the limit that is left while the baseline is measured. */
const PROBE_SHARE = 0.5;
/** Less of a difference than this is none. */
const FASTER = 0.9;
/** How fast the baseline follows the latency of a server that has room: about ten windows. */
const DRIFT = 0.1;

export function initialGradient(limit: number): GradientState {
  return { limit, baseline: undefined, untilProbe: PROBE_EVERY, probe: undefined };
}

/** @param random from 0 to 1: spreads the probes of many processes over time */
export function nextGradient(
  state: GradientState,
  window: GradientWindow,
  bounds: GradientBounds & { readonly random: number },
): GradientState {
  if (state.probe !== undefined) return nextProbe(state, window, bounds);
  const baseline = nextBaseline(state, window);
  const limit = clamp(nextLimit({ ...state, baseline }, window, bounds.tolerance), bounds);
  const untilProbe = state.untilProbe - 1;
  if (untilProbe > 0 || !isBusy(state, window)) return { limit, baseline, untilProbe, probe: undefined };
  const probe = { resume: limit, latency: Infinity };
  return { limit: clamp(limit * PROBE_SHARE, bounds), baseline, untilProbe: 0, probe };
}

function nextProbe(
  { limit, baseline, probe }: GradientState,
  { latency }: GradientWindow,
  bounds: GradientBounds & { readonly random: number },
): GradientState {
  const resume = clamp(probe?.resume ?? limit, bounds);
  const isKnown = latency === undefined || (baseline !== undefined && latency <= baseline / FASTER);
  const isFaster = latency !== undefined && latency < (probe?.latency ?? Infinity) * FASTER;
  if (!isKnown && isFaster && limit > bounds.minLimit) {
    return { limit: clamp(limit * PROBE_SHARE, bounds), baseline, untilProbe: 0, probe: { resume, latency } };
  }
  const untilProbe = Math.round(PROBE_EVERY * (0.75 + bounds.random / 2));
  return { limit: resume, baseline: latency ?? baseline, untilProbe, probe: undefined };
}

function nextBaseline({ baseline, limit }: GradientState, { latency, inFlight }: GradientWindow): number | undefined {
  if (latency === undefined) return baseline;
  if (baseline === undefined || latency < baseline) return latency;
  return inFlight * 2 < limit ? baseline + (latency - baseline) * DRIFT : baseline;
}

function nextLimit(state: GradientState, window: GradientWindow, tolerance: number): number {
  const { limit, baseline } = state;
  if (window.overload > 0) return limit * Math.max(BACKOFF.least, Math.min(BACKOFF.most, 1 - window.overload));
  // A limit that is not reached says nothing about a higher one, and is not what slows calls down.
  if (window.latency === undefined || baseline === undefined || !isBusy(state, window)) return limit;
  const gradient = Math.max(0.5, Math.min(1, (tolerance * baseline) / Math.max(window.latency, Number.MIN_VALUE)));
  if (gradient < 1) return limit + (limit * gradient - limit) * SMOOTHING;
  return limit + Math.sqrt(limit) * SMOOTHING;
}

function isBusy({ limit }: GradientState, { inFlight }: GradientWindow): boolean {
  return inFlight * 2 >= limit;
}

function clamp(limit: number, { minLimit, maxLimit }: GradientBounds): number {
  return Math.max(minLimit, Math.min(maxLimit, limit));
}
