import type { Applicable } from './wrap-function.ts';

type AnyMethod = (this: never, ...args: never[]) => unknown;
type Member = ClassMethodDecoratorContext | ClassGetterDecoratorContext | ClassSetterDecoratorContext;
type AnyContext = Member | ClassAccessorDecoratorContext | ClassFieldDecoratorContext | ClassDecoratorContext;

/** What {@link Profiler.profile} returns: a decorator (TC39, without `experimentalDecorators`) for members of a class. */
export interface ProfileDecorator {
  /** A method, getter or setter; static, `#private` or symbol-named too. */
  <F extends AnyMethod>(member: F, context: Member): F;
  /** An `accessor`: getter and setter are measured under one name. */
  <This, V>(
    member: ClassAccessorDecoratorTarget<This, V>,
    context: ClassAccessorDecoratorContext<This, V>,
  ): ClassAccessorDecoratorResult<This, V>;
  /** A field: what it is initialised with is measured if it is a function. */
  <This, V>(member: undefined, context: ClassFieldDecoratorContext<This, V>): (this: This, value: V) => V;
}

/** Wraps one function of a class; `nameFor` names it from the `this` of its first call. */
export type WrapMember = (fn: Applicable, nameFor: (self: unknown) => string) => Applicable;

/** The decorator that wraps each function of a member with `wrap`, under `name` or else under `Class.member`. */
export function profileDecorator(name: string | undefined, wrap: WrapMember): ProfileDecorator {
  const decorate = (member: unknown, context: AnyContext): unknown => {
    checkContext(context);
    const own = new Set<unknown>();
    const nameFor = (self: unknown): string => name ?? memberName(self, context, own);
    const wrapped = <F>(fn: F): F => {
      const wrapper = wrap(fn as Applicable, nameFor);
      own.add(wrapper);
      return wrapper as F;
    };
    switch (context.kind) {
      case 'method':
      case 'getter':
      case 'setter':
        return wrapped(member);
      case 'accessor': {
        const { get, set } = member as { readonly get: Applicable; readonly set: Applicable };
        return { get: wrapped(get), set: wrapped(set) };
      }
      case 'field':
        return function (this: object, value: unknown): unknown {
          const instanceName = (): string => name ?? `${this.constructor.name}.${String(context.name)}`;
          return typeof value === 'function' ? wrap(value as Applicable, instanceName) : value;
        };
      case 'class':
        throw new TypeError('`profile` decorates members of a class, not a class; use `wrap` for its constructor');
      default:
        return context satisfies never;
    }
  };
  return decorate as ProfileDecorator;
}

function checkContext(context: unknown): void {
  if (typeof context === 'object' && context !== null && 'kind' in context) return;
  throw new TypeError(
    '`profile` is a TC39 decorator; it was called as a legacy one: switch `experimentalDecorators` off',
  );
}

/** `Class.member`, where the class is the one that declares the member, whichever subclass the instance is of. */
function memberName(self: unknown, context: AnyContext, own: ReadonlySet<unknown>): string {
  const key = context.name as PropertyKey;
  const isStatic = 'static' in context && context.static;
  try {
    for (let at = self as object | null; at !== null && at !== undefined; at = Object.getPrototypeOf(at) as object) {
      const found = Object.values(Object.getOwnPropertyDescriptor(at, key) ?? {}) as unknown[];
      if (!found.some((each) => own.has(each))) continue;
      const owner = (isStatic ? at : at.constructor) as { readonly name?: unknown };
      if (typeof owner.name === 'string' && owner.name !== '') return `${owner.name}.${String(key)}`;
    }
  } catch {
    // An exotic `this`; the member's own name will do.
  }
  return String(key);
}
