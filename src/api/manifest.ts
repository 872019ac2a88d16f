import { formatFieldPath } from './field-path.ts';
import type { FieldPath } from './field-path.ts';
import { checkObject, objectTitle } from './object.ts';
import type { ApiObject } from './object.ts';
import { printable } from './printable.ts';
import type { Problem } from './problem.ts';
import { DEFAULT_YAML_LIMITS, readYaml } from './yaml-stream.ts';
import type { YamlDocument, YamlLimits } from './yaml-stream.ts';

export { findDuplicates } from './duplicates.ts';
export { formatProblem } from './problem.ts';
export type { Problem } from './problem.ts';
export type { ApiObject, Kind } from './object.ts';

/** An object that a manifest declares, checked, with defaults applied. */
export type ManifestObject = ApiObject & {
  readonly file: string;
  /** Which document of the file, from 0. */
  readonly index: number;
};

export interface ParsedManifest {
  /** The good objects, in the order of the file. A bad document does not spoil the others. */
  readonly objects: ManifestObject[];
  readonly problems: Problem[];
}

/**
 * Reads a manifest file: one or more YAML (or JSON) documents. Pure and total: whatever the text, it throws nothing and
 * takes bounded time.
 *
 * @param file its name, for the problems only
 */
export function parseManifest(
  text: string,
  file: string,
  limits: YamlLimits = DEFAULT_YAML_LIMITS,
): ParsedManifest {
  const whole = wholeFileProblem(text, file, limits);
  if (whole !== undefined) return { objects: [], problems: [whole] };
  const documents = readYaml(text, limits);
  if (documents.length > limits.documents) {
    const message = `has ${documents.length} documents, more than ${limits.documents}`;
    const remedy = 'Split it into several files.';
    return { objects: [], problems: [{ file, message, remedy, code: 'VMN_MANIFEST_TOO_LARGE' }] };
  }
  if (documents.every(({ empty }) => empty)) {
    const remedy = 'Write at least one VMNetwork into it, see examples/, or remove the file.';
    return { objects: [], problems: [{ file, message: 'is empty', remedy, code: 'VMN_MANIFEST_SYNTAX' }] };
  }
  const objects: ManifestObject[] = [];
  const problems: Problem[] = [];
  const cut = endsUnfinished(text);
  documents.forEach((document, index) => {
    if (document.empty) return;
    const last = index === documents.length - 1;
    const result = last && cut ? unfinished(file, index) : readDocument(document, file, index);
    if ('problems' in result) problems.push(...result.problems);
    else objects.push(result.object);
  });
  return { objects, problems };
}

type DocumentResult = { readonly object: ManifestObject } | { readonly problems: Problem[] };

function readDocument(document: YamlDocument, file: string, index: number): DocumentResult {
  const title = objectTitle(document.value);
  const common = { file, document: index + 1, ...(title === undefined ? {} : { object: title }) };
  const problems: Problem[] = document.issues.map(({ path, line, value, message, remedy }) => ({
    ...common,
    ...(line === undefined ? {} : { line }),
    ...fieldOf(path),
    ...(value === undefined ? {} : { value }),
    message,
    remedy,
    code: 'VMN_MANIFEST_SYNTAX',
  }));
  if (document.value === undefined) return { problems };

  const checked = checkObject(document.value);
  const known = new Set(problems.map(({ field }) => field));
  const issues = [...statusIssues(document.value), ...(checked.ok ? [] : checked.issues)];
  for (const { path, value, message, remedy } of issues) {
    const field = fieldOf(path);
    // A number with a bad spelling was reported already; what it would be as a number is of no interest.
    if (field.field !== undefined && known.has(field.field)) continue;
    const line = document.lineOf(path);
    problems.push({
      ...common,
      ...(line === undefined ? {} : { line }),
      ...field,
      ...(value === undefined ? {} : { value }),
      message,
      remedy,
      code: 'VMN_MANIFEST_INVALID',
    });
  }
  return problems.length === 0 && checked.ok ? { object: { ...checked.value, file, index } } : { problems };
}

/** In a cluster the API server ignores a status that a user writes; here nobody would, so it is said. */
function statusIssues(
  value: unknown,
): { path: FieldPath; value?: string; message: string; remedy: string }[] {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'status')) return [];
  const remedy = 'Remove it: status is written by the agent, and shown by `vmnetctl status`.';
  return [{ path: ['status'], message: 'does not belong into a manifest', remedy }];
}

function fieldOf(path: FieldPath): { field?: string } {
  return path.length === 0 ? {} : { field: formatFieldPath(path) };
}

function wholeFileProblem(text: string, file: string, limits: YamlLimits): Problem | undefined {
  const bytes = Buffer.byteLength(text, 'utf8');
  if (bytes > limits.bytes) {
    const message = `is ${bytes} bytes long, more than ${limits.bytes}`;
    return { file, message, remedy: 'Split it into several files.', code: 'VMN_MANIFEST_TOO_LARGE' };
  }
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const odd = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffd]/u.exec(text);
  if (odd === null) return undefined;
  const line = text.slice(0, odd.index).split('\n').length;
  const message = `is not a text file in UTF-8: it holds ${printable(odd[0]).replace('\ufffd', 'an invalid byte')}`;
  return { file, line, message, remedy: 'Save it as plain UTF-8 text.', code: 'VMN_MANIFEST_SYNTAX' };
}

/**
 * Whether the text may be the beginning of a longer one. `address: 203.0.113.1` without a newline may yet become
 * 203.0.113.10, and to allow the former even for a moment would be wrong. JSON, or any flow collection, and `...` end
 * visibly.
 */
function endsUnfinished(text: string): boolean {
  return !/(\n|\r|[}\]]|(^|\n)\.\.\.)[ \t]*$/.test(text);
}

function unfinished(file: string, index: number): DocumentResult {
  const message = 'ends in the middle of a line, so it may be half written';
  const remedy =
    'End the last line with a newline. Better still, write to another name and rename it into place.';
  return { problems: [{ file, document: index + 1, message, remedy, code: 'VMN_MANIFEST_SYNTAX' }] };
}
