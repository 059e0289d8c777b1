import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

type Message = Parameters<StdioClientTransport['send']>[0];

/**
 * The SDK's transport over a process's standard streams, with two things it lacks: the process id outlives a failed start, and messages wait for the pipe
 * one behind the other. The SDK adds a listener to the pipe for each message that waits.
 */
export class StdioTransport extends StdioClientTransport {
  #startedPid: number | undefined;
  #sent: Promise<void> = Promise.resolve();

  /** The process, once it was started, also when it has ended since. */
  get startedPid(): number | undefined {
    return this.#startedPid;
  }

  override async start(): Promise<void> {
    await super.start();
    this.#startedPid = this.pid ?? undefined;
  }

  override send(message: Message): Promise<void> {
    const sending = this.#sent.then(() => super.send(message));
    this.#sent = sending.catch(() => {});
    return sending;
  }
}
