/** A measurement of something else than time, or of more than one process. */
export interface Report {
  /** The package whose README shows it. */
  readonly package: string;
  /** @returns Markdown */
  run(options: ReportOptions): string | Promise<string>;
}

export interface ReportOptions {
  /** Measurements that count, where there are several. */
  readonly rounds: number;
  /** A folder with real traces. */
  readonly traces: string | undefined;
  /** As little as shows that everything runs; the figures mean nothing. */
  readonly smoke: boolean;
  /** Told as it goes on. */
  readonly onProgress: (message: string) => void;
}

/** The reports by name, loaded when they run. In the README their places are `<!-- bench:name:start -->` to `<!-- bench:name:end -->`. */
export const REPORTS: Readonly<Record<string, () => Promise<Report>>> = {
  stampede: async () => (await import('./stampede/stampede.ts')).stampede,
  'hit-ratio': async () => (await import('./hit-ratio/hit-ratio.ts')).hitRatio,
  bulk: async () => (await import('./bulk/bulk.ts')).bulk,
  durable: async () => (await import('./durable/durable.ts')).durable,
  spike: async () => (await import('./spike/spike.ts')).spike,
  'entry-size': async () => (await import('./entry-size/entry-size-report.ts')).entrySizeReport,
};
