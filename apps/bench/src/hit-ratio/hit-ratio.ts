import type { Report } from '../reports.ts';
import { generatedTraces } from './generated-traces.ts';
import { hitRatioTables } from './hit-ratio-tables.ts';
import { readTrace, traceFiles } from './trace-files.ts';

/** How many requests each policy answers, of real traces if there are any and of generated ones. */
export const hitRatio: Report = {
  package: 'cache',
  run: ({ traces, smoke, onProgress }) => {
    if (traces === undefined) {
      console.error('No real traces: give their folder as --traces or PERF_TRACES. Generated ones only.');
    }
    const real = traces === undefined || smoke ? [] : traceFiles(traces).map((file) => readTrace(traces, file));
    const generated = generatedTraces(smoke ? { requests: 4_000 } : {});
    return hitRatioTables([...real, ...generated], (message) => onProgress(`hit-ratio: ${message}`));
  },
};
