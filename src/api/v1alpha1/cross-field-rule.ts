import type { z } from 'zod';

/** The fields of an object before it is known that each is valid by itself. */
export type Unchecked<Field extends string> = Partial<Record<Field, unknown>>;

/**
 * A rule that ties fields together, said twice: for us and, in CEL, for the API server. The two are kept side by side
 * so that nobody changes one alone.
 */
export interface CrossFieldRule<Field extends string> {
  /** Where the problem is shown, from the object that carries the rule. */
  readonly path: readonly string[];
  /** Runs even if some fields are invalid, so that all problems are shown at once: expect anything in any field. */
  readonly holds: (object: Unchecked<Field>) => boolean;
  /** The same in CEL, after defaulting. */
  readonly cel: string;
  readonly message: string;
  readonly remedy: string;
}

/** `schema` with its rules, as refinements and as `x-kubernetes-validations`. */
export function withRules<T extends z.ZodObject>(
  schema: T,
  rules: readonly CrossFieldRule<keyof T['shape'] & string>[],
): T {
  let ruled = schema;
  for (const { path, holds, message, remedy } of rules) {
    ruled = ruled.refine((object) => holds(object), {
      path: [...path],
      error: message,
      params: { remedy },
      when: ({ value }) => isMapping(value),
    });
  }
  const validations = rules.map(({ path, cel, message, remedy }) => ({
    rule: cel,
    fieldPath: `.${path.join('.')}`,
    message: `${message}. ${remedy}`,
  }));
  return ruled.meta({ 'x-kubernetes-validations': validations });
}

/** Narrows to what a YAML or JSON mapping becomes. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
