/** Something with a lifetime. `await using` closes it at the end of the block. */
export interface Closeable extends AsyncDisposable {
  /** Whether `close()` has been called: new work is refused with a `ClosedError`. */
  readonly closed: boolean;
  /** Stops intake, lets running work finish, frees everything. Idempotent: each call returns the same outcome. */
  close(): Promise<void>;
}
