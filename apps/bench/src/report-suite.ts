/** A measurement that is no comparison of times. */
export interface Report {
  /** The package measured, without its scope: `cache`. */
  readonly package: string;
  /** Names its place in the README of the package: `<!-- bench:<name>:start -->` to `<!-- bench:<name>:end -->`. */
  readonly name: string;
  /** @returns Markdown */
  run(options: ReportOptions): Promise<string>;
}

export interface ReportOptions {
  /** Measurements that count. */
  readonly rounds: number;
  /** As little as shows that everything runs; the figures mean nothing. */
  readonly smoke: boolean;
  /** Told as it goes on. */
  readonly onProgress?: ((message: string) => void) | undefined;
}
