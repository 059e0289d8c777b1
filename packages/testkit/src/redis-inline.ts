import { connect } from 'node:net';

/** Sends one command, written as on a command line, on a connection of its own. @returns what the server sent first, in its protocol */
export function redisInline(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the Redis server closed the connection')));
  });
}
