/** A snapshot of a {@link DataLoader}. The counters only grow. */
export interface DataLoaderStats {
  /** Calls of `load()`, those by `loadMany()` included. */
  readonly loads: number;
  /** Loads that were given a promise there was already: cached, or of the same batch. */
  readonly hits: number;
  /** Keys not settled yet: they wait, or are being loaded. */
  readonly pending: number;
  /** Batches being loaded. */
  readonly inFlight: number;
  /** Calls of the batch function. */
  readonly batches: number;
  /** Keys that could not be loaded. */
  readonly errors: number;
  /** Keys that all their callers gave up. */
  readonly withdrawn: number;
}

interface ReportedCounts {
  readonly hits: number;
  readonly misses: number;
  readonly errors: number;
}

const NOTHING: ReportedCounts = { hits: 0, misses: 0, errors: 0 };

/** What a {@link DataLoader} counts as it goes. */
export class LoaderCounts {
  hits = 0;
  /** Keys that went into a batch. */
  misses = 0;
  loaded = 0;
  errors = 0;
  withdrawn = 0;
  batches = 0;
  inFlight = 0;
  /** What telemetry knows of. */
  reported: ReportedCounts = NOTHING;

  snapshot(): DataLoaderStats {
    const { hits, misses, loaded, errors, withdrawn, batches, inFlight } = this;
    const pending = misses - loaded - errors - withdrawn;
    return { loads: hits + misses, hits, pending, inFlight, batches, errors, withdrawn };
  }
}
