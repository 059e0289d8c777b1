import workerpool from 'workerpool';
import { square, work } from './square.mjs';

workerpool.worker({ square, work });
