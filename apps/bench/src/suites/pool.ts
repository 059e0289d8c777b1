import type { Comparison } from '../comparison.ts';
import { poolLimits } from './pool-limits.ts';
import { poolWorkers } from './pool-workers.ts';

export const pool: readonly Comparison[] = [...poolWorkers, ...poolLimits];
