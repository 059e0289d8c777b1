import { CodecError } from '../src/index.ts';

/** The code of the CodecError that `run` throws; anything else it throws goes on. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof CodecError) return error.code;
    throw error;
  }
  return undefined;
}
