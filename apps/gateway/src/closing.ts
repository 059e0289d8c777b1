/**
 * Runs `work` with `resource` and closes it afterwards, whatever happens: `await using`, which Node.js 22 does not parse and the gateway's sources run on as they are.
 */
export async function closing<R extends AsyncDisposable, T>(
  resource: R,
  work: (resource: R) => T | Promise<T>,
): Promise<T> {
  try {
    return await work(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}
