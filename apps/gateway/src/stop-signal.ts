const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves when the process is asked to stop. A second request does not wait for anything: whoever sends it wants out. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) {
      process.once(signal, () => {
        for (const each of SIGNALS) process.once(each, () => process.exit(130));
        resolve();
      });
    }
  });
}
