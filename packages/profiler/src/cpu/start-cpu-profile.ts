import type { Session } from 'node:inspector';
import { checkOptions, checkRange } from '@perf/core';
import { CpuProfileUnavailableError } from '../errors.ts';
import type { CpuProfile } from './cpu-profile.ts';

/** Options of {@link startCpuProfile}. */
export interface CpuProfileOptions {
  /** Milliseconds between samples, from 0.05 to 1000. V8 keeps it to within some 10 %. @default 1 */
  readonly interval?: number;
}

/** A CPU profile being taken. `using` stops it at the end of the block. */
export interface CpuRecording extends Disposable {
  /** Ends the recording and returns what it saw; again and again the same. Blocks for about a millisecond, more for a big profile. */
  stop(): CpuProfile;
}

/**
 * Sessions that were used and are free. A session is never disconnected nor its profiler disabled: either would wipe out the counts of a coverage
 * run (`NODE_V8_COVERAGE`, c8) in the same thread. There are as many as there were recordings at one time.
 */
const idle: Session[] = [];

/**
 * Starts sampling the stack of this thread. Recordings may overlap, with one another, with `--cpu-prof` and with an attached debugger; each is
 * complete. Starting blocks for 5 to 15 ms: record stretches of time, not single calls. Samples are kept in memory until `stop()`.
 *
 * @throws CpuProfileUnavailableError (`PERF_PROFILER_UNAVAILABLE`) where there is no inspector
 */
export function startCpuProfile(options: CpuProfileOptions = {}): CpuRecording {
  checkOptions('startCpuProfile', options, ['interval']);
  const { interval = 1 } = options;
  checkRange('interval', interval, { min: 0.05, max: 1000 });
  const session = idle.pop() ?? connect();
  try {
    send(session, 'Profiler.setSamplingInterval', { interval: Math.round(interval * 1000) });
    send(session, 'Profiler.start');
  } catch (error) {
    idle.push(session);
    throw error;
  }
  let profile: CpuProfile | undefined;
  const stop = (): CpuProfile => {
    if (profile !== undefined) return profile;
    profile = (send(session, 'Profiler.stop') as { readonly profile: CpuProfile }).profile;
    idle.push(session);
    return profile;
  };
  return { stop, [Symbol.dispose]: () => void stop() };
}

function connect(): Session {
  let session: Session;
  try {
    // Not an import: on a Node.js built without the inspector that would make the whole package fail to load.
    const inspector = process.getBuiltinModule('node:inspector');
    session = new inspector.Session();
    session.connect();
  } catch (error) {
    throw new CpuProfileUnavailableError({ cause: error });
  }
  send(session, 'Profiler.enable');
  return session;
}

/** A session of the own thread answers before `post` returns. */
function send(session: Session, method: string, params: object = {}): unknown {
  let answer: { readonly error: Error | null; readonly result: unknown } | undefined;
  session.post(method, params, (error, result) => (answer = { error, result }));
  if (answer === undefined) throw new CpuProfileUnavailableError({ cause: new Error(`${method} was not answered`) });
  if (answer.error !== null) throw new CpuProfileUnavailableError({ cause: answer.error });
  return answer.result;
}
