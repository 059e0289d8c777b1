import type { GradientWindow } from './gradient-limit.ts';

/** Fewer calls say more about chance than about load. */
const MIN_CALLS = 10;

/** Calls that vary much are gathered longer, until chance moves their mean by less than this share, or there are so many times more of them. */
const CLEAR = 0.07;
const MAX_PATIENCE = 4;

/** Gathers what ended since the last step of an adaptive limiter; a window is as long as it takes to see each running call once. */
export class LatencyWindow {
  #started = 0;
  #countedFrom = 0;
  #sum = 0;
  #squares = 0;
  #samples = 0;
  #overloads = 0;
  #inFlight = 0;
  #lastLatency: number | undefined;

  /** The mean latency of the last window that had one, in milliseconds. */
  get lastLatency(): number | undefined {
    return this.#lastLatency;
  }

  /** A call starts, as one of `running`. Returns its ticket, for when it ends. */
  start(running: number): number {
    if (running > this.#inFlight) this.#inFlight = running;
    return this.#started++;
  }

  succeed(ticket: number, latency: number): void {
    // What a clock that jumps makes of a latency says nothing.
    if (ticket < this.#countedFrom || !(latency >= 0 && latency < Infinity)) return;
    this.#sum += latency;
    this.#squares += latency * latency;
    this.#samples++;
  }

  overload(ticket: number): void {
    if (ticket >= this.#countedFrom) this.#overloads++;
  }

  /** From now on only calls that start from now on count: those that run began under another limit. */
  countNewOnly(): void {
    this.#countedFrom = this.#started;
  }

  /** The window, once it is full; the next one starts with it. */
  take(limit: number, running: number): GradientWindow | undefined {
    const calls = this.#samples + this.#overloads;
    const enough = Math.max(MIN_CALLS, Math.min(limit, this.#inFlight));
    if (calls < enough || (calls < enough * MAX_PATIENCE && !this.#isClear())) return undefined;
    const latency = this.#samples === 0 ? undefined : this.#sum / this.#samples;
    const window = { latency, error: this.#error(), inFlight: this.#inFlight, overload: this.#overloads / calls };
    this.#lastLatency = latency ?? this.#lastLatency;
    this.#sum = this.#squares = this.#samples = this.#overloads = 0;
    this.#inFlight = running;
    return window;
  }

  #isClear(): boolean {
    return this.#samples === 0 || this.#error() <= (this.#sum / this.#samples) * CLEAR;
  }

  /** The standard error of the mean. */
  #error(): number {
    const samples = this.#samples;
    if (samples < 2) return 0;
    return Math.sqrt(Math.max(0, this.#squares - (this.#sum * this.#sum) / samples) / (samples - 1) / samples);
  }
}
