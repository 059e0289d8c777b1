import { parentPort } from 'node:worker_threads';
import { square } from './square.mjs';

parentPort?.on('message', (n) => parentPort?.postMessage(square(n)));
