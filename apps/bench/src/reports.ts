import { entrySizeTable } from './entry-size/entry-size.ts';
import { generatedTraces } from './hit-ratio/generated-traces.ts';
import { hitRatioTables } from './hit-ratio/hit-ratio-tables.ts';
import { readTrace, traceFiles } from './hit-ratio/trace-files.ts';

export interface ReportOptions {
  /** A folder with real traces. */
  readonly traces: string | undefined;
  /** Only see that it runs. */
  readonly smoke: boolean;
  readonly onProgress: (message: string) => void;
}

/** A measurement of something else than time. */
export interface Report {
  /** The package whose README shows it, between the markers `<!-- name:start -->` and `<!-- name:end -->`. */
  readonly package: string;
  measure(options: ReportOptions): string;
}

/** The reports by name. */
export const REPORTS: Readonly<Record<string, Report>> = {
  'hit-ratio': { package: 'cache', measure: hitRatio },
  'entry-size': {
    package: 'cache',
    measure: ({ smoke, onProgress }) => entrySizeTable(smoke ? 10_000 : 1_000_000, onProgress),
  },
};

function hitRatio({ traces, smoke, onProgress }: ReportOptions): string {
  if (traces === undefined) {
    console.error('No real traces: give their folder as --traces or PERF_TRACES. Generated ones only.');
  }
  const real = traces === undefined ? [] : traceFiles(traces).map((file) => readTrace(traces, file));
  const generated = generatedTraces(smoke ? { requests: 4_000 } : {});
  return hitRatioTables(smoke ? generated : [...real, ...generated], onProgress);
}
