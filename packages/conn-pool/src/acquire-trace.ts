/** The stack of an acquire, as an error that is never thrown. */
export class AcquireTrace extends Error {
  override get name(): string {
    return 'AcquireTrace';
  }
}

/** The lines of the stack of `trace`, without the one that names the error. */
export function stackOf(trace: Error | undefined): string {
  return trace?.stack?.split('\n').slice(1).join('\n') ?? '';
}
