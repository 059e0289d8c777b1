import { abortable, delay } from '@perf/core';

/**
 * Repeats what fails for reasons of Redis (a connection that broke, no memory, a replica promoted meanwhile) until it succeeds or `signal` aborts; then rejects with its reason,
 * whether Redis answers or hangs.
 * Waits in the background: the process may end.
 */
export async function keepTrying<T>(
  work: () => Promise<T>,
  options: { readonly signal: AbortSignal; readonly onError: (error: unknown) => void },
): Promise<T> {
  for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
    options.signal.throwIfAborted();
    try {
      return await abortable(work(), options.signal);
    } catch (error) {
      options.signal.throwIfAborted();
      options.onError(error);
    }
    await delay(wait, { signal: options.signal, unref: true });
  }
}
