const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Milliseconds in which a further signal is the first one again: a terminal signals every process, and launchers such as npm pass it on. */
const ECHO = 1_000;

/** Resolves when the process is asked to stop. A later request does not wait for anything: whoever sends it wants out. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (): void => {
      first ??= performance.now();
      if (performance.now() - first > ECHO) process.exit(130);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
}
