import { ThreadWorker } from 'poolifier';
import { square, work } from './square.mjs';

// oxlint-disable-next-line import/no-default-export -- what poolifier asks for
export default new ThreadWorker({ square: { taskFunction: square }, work: { taskFunction: work } });
