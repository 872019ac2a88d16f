import { z } from 'zod';

export interface TextForm {
  /** Anchored at both ends; only what RE2 and ECMAScript share. */
  readonly pattern: RegExp;
  /**
   * Characters; the pattern allows ASCII only, so they are bytes too. Where the pattern bounds the length by itself this is
   * looser: a text that is too long is refused before any rule is asked, and without its remedy.
   */
  readonly maxLength: number;
  /** The rule, as an error says it: "must be …". */
  readonly form: string;
  /** What to do, with an example. */
  readonly remedy: string;
}

/**
 * Text of one form. `form` and `remedy` go into the CRD as a CEL rule in place of the pattern: what the API server says of a
 * pattern that does not match is the pattern.
 */
export function formedText({ pattern, maxLength, form, remedy }: TextForm) {
  return z.string().max(maxLength, form).regex(pattern, form).meta({ form, remedy });
}

/** Text that a host found somewhere and people read: one line of printable ASCII, at most `maxLength` characters. */
export function reportedText(maxLength: number) {
  return formedText({
    pattern: /^[ -~]*$/,
    maxLength,
    form: `must be one line of printable ASCII, at most ${maxLength} characters`,
    remedy: 'Replace other characters by "?", and cut what is longer.',
  });
}
