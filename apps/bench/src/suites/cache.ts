import type { Comparison } from '../comparison.ts';
import { cacheMemory } from './cache-memory.ts';
import { cacheTiered } from './cache-tiered.ts';

export const cache: readonly Comparison[] = [...cacheMemory, ...cacheTiered];
