/** The error classes of the language: `instanceof` holds for them on both sides, subclasses included. */
export const KNOWN_ERRORS: readonly ErrorConstructor[] = [
  AggregateError as unknown as ErrorConstructor,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
];
