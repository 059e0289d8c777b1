/** How urgent it is to free memory. */
export type PressureLevel = 'normal' | 'elevated' | 'critical';

const RANKS: Readonly<Record<PressureLevel, number>> = { normal: 0, elevated: 1, critical: 2 };

/** 0 for `normal`, 1 for `elevated`, 2 for `critical`. */
export function rankOf(level: PressureLevel): number {
  return RANKS[level];
}

/** When a level is entered and left. */
export interface LevelPolicy {
  /** The ratio from which on the level is `elevated`. */
  readonly elevated: number;
  /** The ratio from which on the level is `critical`. */
  readonly critical: number;
  /** How far below its threshold the ratio must be for a level to be left. */
  readonly hysteresis: number;
  /** How long it must stay there, in milliseconds. */
  readonly dwell: number;
}

/** The level, and since when the ratio has been low enough to leave it. */
export interface LevelState {
  readonly level: PressureLevel;
  /** `undefined` while it is not low enough. */
  readonly calmSince: number | undefined;
}

export const INITIAL_LEVEL: LevelState = { level: 'normal', calmSince: undefined };

/** What the next level is decided on. */
export interface LevelInput {
  readonly ratio: number;
  /** The highest level that makes sense, whatever the ratio. */
  readonly ceiling: PressureLevel;
  /** Monotonic, in milliseconds. */
  readonly now: number;
}

/**
 * The level after one more reading: up at once, down only when the ratio was below the threshold by `hysteresis` for `dwell`
 * milliseconds without interruption.
 */
export function nextLevel(state: LevelState, input: LevelInput, policy: LevelPolicy): LevelState {
  const { ratio, ceiling, now } = input;
  const reached = lower(levelAt(ratio, policy), ceiling);
  if (rankOf(reached) > rankOf(state.level)) return { level: reached, calmSince: undefined };
  const held = lower(levelAt(ratio + policy.hysteresis, policy), ceiling);
  if (rankOf(held) >= rankOf(state.level)) return { level: state.level, calmSince: undefined };
  const calmSince = state.calmSince ?? now;
  if (now - calmSince < policy.dwell) return { level: state.level, calmSince };
  return { level: held, calmSince: undefined };
}

function levelAt(ratio: number, { elevated, critical }: LevelPolicy): PressureLevel {
  if (ratio >= critical) return 'critical';
  return ratio >= elevated ? 'elevated' : 'normal';
}

function lower(one: PressureLevel, other: PressureLevel): PressureLevel {
  return rankOf(one) <= rankOf(other) ? one : other;
}
