import type { CallFrame } from './cpu-profile.ts';

/** What kind of code a function is. `program` is native code outside of any function, `native` a built-in. */
export type FunctionCategory = 'app' | 'dependency' | 'node' | 'native' | 'program' | 'gc' | 'idle' | 'root';

/** A function seen in a CPU profile. */
export interface ProfiledFunction {
  /** `(anonymous)` where it has none. */
  readonly name: string;
  /** File URL, `node:` URL, path or ''. */
  readonly url: string;
  /** Line of its beginning, from 1; 0 when unknown. */
  readonly line: number;
  /** Column of its beginning, from 1; 0 when unknown. */
  readonly column: number;
  readonly category: FunctionCategory;
}

const SPECIAL: Readonly<Record<string, FunctionCategory>> = {
  '(root)': 'root',
  '(program)': 'program',
  '(idle)': 'idle',
  '(garbage collector)': 'gc',
};

/** Describes the function of a frame; lines and columns counted from 1, as editors do. */
export function profiledFunction(frame: CallFrame): ProfiledFunction {
  const { functionName, url, lineNumber, columnNumber } = frame;
  return {
    name: functionName || '(anonymous)',
    url,
    line: Math.max(0, lineNumber + 1),
    column: Math.max(0, columnNumber + 1),
    category: url === '' ? (SPECIAL[functionName] ?? 'native') : categoryOf(url),
  };
}

function categoryOf(url: string): FunctionCategory {
  if (url.startsWith('node:')) return 'node';
  return /[\\/]node_modules[\\/]/.test(url) ? 'dependency' : 'app';
}

/** `file:line:column`, as far as known. */
export function locationOf({ url, line, column }: ProfiledFunction): string {
  if (url === '') return '';
  return line === 0 ? url : `${url}:${line}:${column}`;
}
