import type { Report } from '../reports.ts';
import { entrySizeTable } from './entry-size.ts';

/** What an entry takes in memory. */
export const entrySizeReport: Report = {
  package: 'cache',
  run: ({ smoke, onProgress }) =>
    entrySizeTable(smoke ? 10_000 : 1_000_000, (message) => onProgress(`entry-size: ${message}`)),
};
