// Loaded with `--import` by `perf-profile run` before the program. Records until the program ends, by itself or by a signal, and writes the
// profile to where the command asked for.
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { startCpuProfile } from './cpu/start-cpu-profile.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function record(output: string, interval: number): void {
  const recording = startCpuProfile({ interval });
  let written = false;
  const write = (): void => {
    if (written) return;
    written = true;
    try {
      writeFileSync(output, JSON.stringify(recording.stop()));
    } catch (error) {
      process.stderr.write(`perf-profile: cannot write the profile: ${String(error)}\n`);
    }
  };
  process.on('exit', write);
  for (const signal of SIGNALS) {
    const onSignal = (): void => {
      // A program that handles the signal itself decides when it ends.
      if (process.listenerCount(signal) > 1) return;
      write();
      process.removeListener(signal, onSignal);
      process.kill(process.pid, signal);
    };
    process.on(signal, onSignal);
  }
}

const { PERF_PROFILE_OUTPUT: output, PERF_PROFILE_INTERVAL: interval } = process.env;
if (output !== undefined && isMainThread) {
  // Processes that the program forks get the same arguments; they must not write over its profile.
  delete process.env['PERF_PROFILE_OUTPUT'];
  delete process.env['PERF_PROFILE_INTERVAL'];
  try {
    record(output, Number(interval));
  } catch (error) {
    process.stderr.write(`perf-profile: ${String(error)}\n`);
  }
}
