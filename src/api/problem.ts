import type { ErrorCode } from '../lib/errors.ts';
import { printable } from './printable.ts';

/** Something wrong with a manifest, complete enough to be corrected from this text alone. Data only: safe to print. */
export interface Problem {
  readonly file: string;
  /** Which document of the file, from 1. Absent if the file as a whole is meant. */
  readonly document?: number;
  /** Line in the file, from 1. */
  readonly line?: number;
  /** `KIND NAMESPACE/NAME`, if the document says so. */
  readonly object?: string;
  /** `spec.consumerEndpoint.port`. */
  readonly field?: string;
  /** What stands there, shortened and escaped; absent for a missing field and for what may be a secret. */
  readonly value?: string;
  /** Speaks of the field: "must be at most 65535". */
  readonly message: string;
  readonly remedy: string;
  readonly code: ErrorCode;
}

/**
 * The problem as a block of lines without a final newline:
 *
 *     net.yaml:9: spec.consumerEndpoint.port must be at most 65535 [VMN_MANIFEST_INVALID]
 *       object: VMNetwork tenant-a/rental-7f3a (document 1)
 *       value:  65536
 *       remedy: …
 */
export function formatProblem(problem: Problem): string {
  const { file, document, line, object, field, value, message, remedy, code } = problem;
  const place = file + (line === undefined ? '' : `:${line}`);
  const lines = [`${place}: ${field === undefined ? '' : `${field} `}${message} [${code}]`];
  const which = document === undefined ? '' : ` (document ${document})`;
  if (object !== undefined) lines.push(`  object: ${object}${which}`);
  else if (document !== undefined) lines.push(`  document: ${document}`);
  if (value !== undefined) lines.push(`  value:  ${value}`);
  lines.push(`  remedy: ${remedy}`);
  // The parts are printable already, or should be; a line that obeys a stranger is not worth the trust.
  return lines.map((text) => printable(text, 8192)).join('\n');
}
