/** One reading of a process's memory, all in bytes. */
export interface MemoryReading {
  /** In use in the old generation of this thread's heap, garbage that was not collected yet included. */
  readonly heapUsed: number;
  /** What the old generation may grow to before V8 gives up. */
  readonly heapLimit: number;
  /** What `heapUsed` was right after the last major collection; `undefined` while none was seen. */
  readonly heapLive?: number | undefined;
  /** Reserved for the heap. */
  readonly heapTotal: number;
  /** Held by JavaScript objects outside of the heap, such as `Buffer`s. */
  readonly external: number;
  /** Resident memory of the process. */
  readonly rss: number;
  /** The tightest limit on the container (or the process, by the operating system); `undefined` where there is none. */
  readonly containerLimit?: number | undefined;
  /** What counts against that limit and cannot be given back easily. */
  readonly containerUsed?: number | undefined;
}

/** Where a monitor's readings come from. */
export interface MemorySource {
  /** @param now monotonic, in milliseconds */
  read(now: number): MemoryReading;
  /** Called when periodic reading begins. */
  start?(): void;
  /** Called when it ends. */
  stop?(): void;
}
