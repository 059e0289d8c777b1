import { PerfError } from '@perf/core';

/** Text or an object is no CPU profile, or one that contradicts itself. */
export class InvalidProfileError extends PerfError {
  constructor(problem: string, options?: ErrorOptions) {
    super('PERF_PROFILER_INVALID_PROFILE', `not a usable CPU profile: ${problem}`, options);
  }

  override get name(): string {
    return 'InvalidProfileError';
  }
}

/** This process cannot take CPU profiles: built without the inspector, or forbidden by the permission model. `cause` says which. */
export class CpuProfileUnavailableError extends PerfError {
  constructor(options?: ErrorOptions) {
    super('PERF_PROFILER_UNAVAILABLE', 'CPU profiles cannot be taken in this process', options);
  }

  override get name(): string {
    return 'CpuProfileUnavailableError';
  }
}
