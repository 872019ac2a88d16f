import { formatProblem } from '../api/manifest.ts';
import { type ErrorCode, isVmnError } from '../lib/errors.ts';
import { EXIT_ENVIRONMENT, EXIT_NOT_AS_ASKED, EXIT_USAGE } from './exit-code.ts';
import { InputError, type InputFault } from './input-error.ts';
import { ManifestError } from './manifest/manifest-error.ts';
import { escapeLines, escapeText } from './terminal/escape.ts';

/** How a thrown value ends the program: what stands on stderr, and the exit code. */
export interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/** Of an invalid manifest; `vmnetctl validate` shows all. */
const MOST_PROBLEMS = 5;

const EXIT_OF_INPUT: Readonly<Record<InputFault, number>> = {
  refused: EXIT_NOT_AS_ASKED,
  misspelt: EXIT_USAGE,
  unreadable: EXIT_ENVIRONMENT,
};

function exitCodeOf(code: ErrorCode): number {
  if (code === 'VMN_USAGE') return EXIT_USAGE;
  return code.startsWith('VMN_MANIFEST_') ? EXIT_NOT_AS_ASKED : EXIT_ENVIRONMENT;
}

/** Pure. Every expected error is two lines: what is wrong, and what to do. Anything else is a bug and shows its stack. */
export function describeFailure(error: unknown): Failure {
  if (isVmnError(error)) {
    // A fault of the command line says by itself what is wrong; "cannot read the command line" would add nothing.
    const what = error.code === 'VMN_USAGE' && error.on !== undefined ? error.on : error.message;
    const text = `vmnetctl: ${escapeText(what)} [${error.code}]\n  ${escapeText(error.remedy)}`;
    return { text, exitCode: exitCodeOf(error.code) };
  }
  if (error instanceof ManifestError) {
    const blocks = error.problems
      .slice(0, MOST_PROBLEMS)
      .map((problem) => escapeLines(formatProblem(problem)));
    const more = error.problems.length - blocks.length;
    if (more > 0) blocks.push(`and ${more} more: vmnetctl validate FILE`);
    return { text: blocks.join('\n'), exitCode: EXIT_NOT_AS_ASKED };
  }
  if (error instanceof InputError) {
    const text = `vmnetctl: ${escapeText(error.on)}: ${escapeText(error.message)}\n  ${escapeText(error.remedy)}`;
    return { text, exitCode: EXIT_OF_INPUT[error.fault] };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    text: `vmnetctl: this is a bug, please report it\n${escapeLines(stack)}`,
    exitCode: EXIT_ENVIRONMENT,
  };
}
