import type { z } from 'zod';
import { FieldGuide } from './field-guide.ts';
import type { FieldNode } from './field-guide.ts';
import type { FieldPath } from './field-path.ts';
import { describeValue, printable } from './printable.ts';
import { suggest } from './suggestion.ts';

/** One wrong field, in words. */
export interface FieldIssue {
  readonly path: FieldPath;
  /** Absent for a missing field and for what may be a secret. */
  readonly value?: string;
  readonly message: string;
  readonly remedy: string;
}

type Issue = z.core.$ZodIssue;

/** More issues than this help nobody; an object that has them is refused all the same. */
const MAX_ISSUES = 50;

/**
 * Turns what zod found into messages that name the value, the rule and the remedy: the rule from the issue, the remedy
 * from what the schema says about the field. At most one issue a field, at most 50 in all.
 */
export function explainIssues(schema: z.ZodType, object: unknown, issues: readonly Issue[]): FieldIssue[] {
  const guide = guideOf(schema);
  const byPath = new Map<string, FieldIssue>();
  for (const issue of issues) {
    for (const explained of explain(guide, object, issue)) {
      const key = JSON.stringify(explained.path.map(String));
      if (!byPath.has(key)) byPath.set(key, explained);
      if (byPath.size === MAX_ISSUES) return [...byPath.values()];
    }
  }
  return [...byPath.values()];
}

const guides = new WeakMap<z.ZodType, FieldGuide>();

function guideOf(schema: z.ZodType): FieldGuide {
  const guide = guides.get(schema) ?? new FieldGuide(schema);
  guides.set(schema, guide);
  return guide;
}

function explain(guide: FieldGuide, object: unknown, issue: Issue): FieldIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, MAX_ISSUES).map((key) => unknownField(guide, object, issue.path, key));
  }
  const value = valueAt(object, issue.path);
  const node = guide.at(issue.path);
  const message = messageOf(issue, value);
  const remedy = remedyOf(issue, value) ?? remedyFromSchema(issue.path, node);
  const shown = value === undefined || mayBeSecret(issue.path) ? {} : { value: describeValue(value) };
  return [{ path: issue.path, ...shown, message, remedy }];
}

function unknownField(guide: FieldGuide, object: unknown, parent: FieldPath, key: string): FieldIssue {
  const path = [...parent, key];
  const known = guide.fields(parent);
  const near = suggest(key, known);
  const place = guide.placeOf(key);
  let remedy = `Remove it. Known here: ${known.join(', ')}.`;
  if (place !== undefined) remedy = `Move it to ${place}.`;
  if (near !== undefined) remedy = `Did you mean ${near}?`;
  if (/private.?key/i.test(key))
    remedy = 'Remove it: private keys are made on the host of the VM and never stand here.';
  const value = valueAt(object, path);
  const shown =
    mayBeSecret(path) || /key|token|password|secret|psk/i.test(key) ? {} : { value: describeValue(value) };
  return { path, ...shown, message: 'is not a known field', remedy };
}

function messageOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return 'is required';
      if (typeof value === 'number') {
        return issue.expected === 'int' || issue.expected === 'number'
          ? 'must be a whole number'
          : `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}, not a number`;
      }
      return `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}, not ${typeName(value)}`;
    case 'invalid_value': {
      const allowed = issue.values.map(String).join(', ');
      if (value === undefined) return 'is required';
      return issue.values.length === 1 ? `must be ${allowed}` : `must be one of ${allowed}`;
    }
    case 'too_small':
      return `must ${sizeVerb(issue.origin, 'least', issue.minimum)}`;
    case 'too_big':
      // A schema with words of its own says more than the length.
      return issue.message.startsWith('must ')
        ? issue.message
        : `must ${sizeVerb(issue.origin, 'most', issue.maximum)}`;
    case 'invalid_key':
      return `has a bad name: ${printable(issue.issues[0]?.message ?? 'invalid')}`;
    default:
      return issue.message;
  }
}

function remedyOf(issue: Issue, value: unknown): string | undefined {
  if (issue.code === 'custom') {
    const remedy: unknown = issue.params?.['remedy'];
    return typeof remedy === 'string' ? remedy : undefined;
  }
  if (issue.code === 'invalid_type') {
    if (value === null) return 'Remove the field, or give it a value.';
    if (issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
      return `Put the value in quotes: "${value}".`;
    }
    if (issue.expected === 'number' || issue.expected === 'int') {
      return typeof value === 'string' && /^[0-9]{1,15}$/.test(value)
        ? `Write the number without quotes: ${value}.`
        : undefined;
    }
    if (issue.expected === 'boolean' && typeof value === 'string')
      return 'Write true or false, without quotes.';
  }
  if (issue.code === 'invalid_value') {
    if (issue.values.length === 1) return `Write ${String(issue.values[0])}.`;
    const near = typeof value === 'string' ? suggest(value, issue.values.map(String)) : undefined;
    return near === undefined ? undefined : `Did you mean ${near}?`;
  }
  if (issue.code === 'invalid_key') return 'Write [PREFIX/]NAME, for example example.com/team or team.';
  return undefined;
}

function remedyFromSchema(path: FieldPath, node: FieldNode | undefined): string {
  if (node?.remedy !== undefined) return node.remedy;
  const description = node?.description ?? '';
  const example = node?.examples?.[0];
  const name = [...path].reverse().find((step) => typeof step === 'string');
  const suffix = example === undefined ? '' : `Example: ${String(name)}: ${JSON.stringify(example)}`;
  return [description, suffix].filter((part) => part !== '').join(' ') || 'Correct or remove the field.';
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function typeName(value: unknown): string {
  if (value === null) return 'empty (null)';
  if (Array.isArray(value)) return 'a list';
  return (
    { string: 'text', boolean: 'true or false', object: 'a mapping' }[typeof value as string] ?? typeof value
  );
}

function sizeVerb(origin: string, bound: 'least' | 'most', size: number | bigint): string {
  if (origin === 'string') return `have at ${bound} ${size} characters`;
  if (origin === 'array' || origin === 'set') return `have at ${bound} ${size} entries`;
  return `be at ${bound} ${size}`;
}

/** A secret that was put where its reference belongs must not reach a log by way of an error. */
function mayBeSecret(path: FieldPath): boolean {
  return path.some((step) => /secret|private|preshared/i.test(String(step)));
}

function valueAt(object: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (node, step) =>
      typeof node === 'object' && node !== null && Object.hasOwn(node, step)
        ? Reflect.get(node, step)
        : undefined,
    object,
  );
}
