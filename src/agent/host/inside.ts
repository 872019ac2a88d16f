/** Makes a call somewhere else, and is back when it returns. */
export type Inside = <T>(call: () => T) => T;

export const here: Inside = (call) => call();

/** Calls that are over when they return: one that gives a promise is not accepted. */
type Synchronous<Calls> = {
  readonly [Name in keyof Calls]: Calls[Name] extends (...given: never[]) => infer Result
    ? [Extract<Result, PromiseLike<unknown>>] extends [never]
      ? Calls[Name]
      : never
    : never;
};

type Call = (...given: unknown[]) => unknown;

/** The same functions, each of which is made inside. They must be properties of `calls` itself, and not use `this`. */
export function eachInside<Calls extends Synchronous<Calls>>(inside: Inside, calls: Calls): Calls {
  const around = ([name, call]: [string, Call]): [string, Call] => [
    name,
    (...given) => inside(() => call(...given)),
  ];
  return Object.fromEntries(Object.entries(calls as Record<string, Call>).map(around)) as Calls;
}
