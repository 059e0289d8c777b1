/** A function of a user's module. */
export type TaskFunction = (item: unknown, context: unknown) => unknown;

/** A module that could not be imported, or has no such function. */
export class LoadFailure {
  readonly what: 'import' | 'export';
  readonly thrown: unknown;

  constructor(what: 'import' | 'export', thrown?: unknown) {
    this.what = what;
    this.thrown = thrown;
  }
}

/**
 * The function that the module at `url` exports as `name`; an own module cache is not needed, as the runtime keeps one.
 * A property of the default export does as well: what CommonJS modules export can look like that, `default` itself when they were compiled from ES modules.
 */
export async function loadExport(url: string, name: string): Promise<TaskFunction | LoadFailure> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    return new LoadFailure('import', error);
  }
  const found = [module[name], ownProperty(module['default'], name)].find((each) => typeof each === 'function');
  return found === undefined ? new LoadFailure('export') : (found as TaskFunction);
}

function ownProperty(object: unknown, name: string): unknown {
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, name)) return undefined;
  return (object as Readonly<Record<string, unknown>>)[name];
}
