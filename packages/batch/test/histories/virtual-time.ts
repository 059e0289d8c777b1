interface VirtualTimer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate,
  random: Math.random,
};

/** Timers and a clock for a hundred thousand short histories: nothing waits, and between two timers everything that is due runs, as in Node.js. */
export class VirtualTime {
  now = 0;
  readonly #timers = new Set<VirtualTimer>();
  #order = 0;

  get pending(): number {
    return this.#timers.size;
  }

  /** Takes the place of the global timers, the clock and `Math.random` until {@link restore}. */
  install(random: () => number): void {
    const set = (fire: () => void, ms = 0): VirtualTimer => {
      const timer = { at: this.now + Math.max(1, ms), order: this.#order++, fire };
      this.#timers.add(timer);
      return timer;
    };
    globalThis.setTimeout = set as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((timer: VirtualTimer) => this.#timers.delete(timer)) as unknown as typeof clearTimeout;
    performance.now = () => this.now;
    Math.random = random;
  }

  restore(): void {
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    Reflect.deleteProperty(performance, 'now');
    Math.random = real.random;
  }

  /** Runs until no timer is left, or, for ever, until `limit` timers have fired. */
  async run(limit: number): Promise<void> {
    for (let fired = 0; fired <= limit; fired++) {
      await new Promise((resolve) => real.setImmediate(resolve));
      const next = this.#next();
      if (next === undefined) return;
      this.#timers.delete(next);
      this.now = next.at;
      next.fire();
    }
  }

  #next(): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}
