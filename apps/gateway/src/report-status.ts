import type { UpstreamStatus } from './upstream/upstream.ts';

/** Says on standard error, in one line, that a server has come up or gone down. */
export function reportStatus(server: string, status: UpstreamStatus, reason: string | undefined): void {
  console.error(
    status === 'up' ? `server "${server}" is up` : `server "${server}" is down: ${reason ?? 'unknown reason'}`,
  );
}
