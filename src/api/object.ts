import type { z } from 'zod';
import { describeValue, printable } from './printable.ts';
import { explainIssues } from './schema-issues.ts';
import type { FieldIssue } from './schema-issues.ts';
import { suggest } from './suggestion.ts';
import { API_VERSION } from './v1alpha1/group-version.ts';
import { vmNetworkClassSchema } from './v1alpha1/vm-network-class.ts';
import type { VmNetworkClass } from './v1alpha1/vm-network-class.ts';
import { vmNetworkSchema } from './v1alpha1/vm-network.ts';
import type { VmNetwork } from './v1alpha1/vm-network.ts';

/** An object of this API, checked, with defaults applied; `kind` tells which. */
export type ApiObject =
  | { readonly kind: 'VMNetwork'; readonly object: VmNetwork }
  | { readonly kind: 'VMNetworkClass'; readonly object: VmNetworkClass };

export type Kind = ApiObject['kind'];

export const KINDS = ['VMNetwork', 'VMNetworkClass'] as const satisfies readonly Kind[];

export type CheckedObject =
  { readonly ok: true; readonly value: ApiObject } | { readonly ok: false; readonly issues: FieldIssue[] };

/** Checks any value against the schema of the kind it claims to be. Throws nothing, whatever it is given. */
export function checkObject(value: unknown): CheckedObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = `must be a mapping with apiVersion, kind, metadata and spec, not ${describeValue(value, 40)}`;
    return refused([{ path: [], message, remedy: 'Begin with apiVersion: and kind:; see examples/.' }]);
  }
  const hidden = pathOfProto(value);
  if (hidden !== undefined) {
    return refused([{ path: hidden, message: 'is not a known field', remedy: 'Remove it.' }]);
  }
  const kind: unknown = Reflect.get(value, 'kind');
  switch (kind) {
    case 'VMNetwork':
      return check(vmNetworkSchema, value, (object) => ({ kind, object }));
    case 'VMNetworkClass':
      return check(vmNetworkClassSchema, value, (object) => ({ kind, object }));
    default:
      return refused([unknownKind(kind)]);
  }
}

/** `KIND NAMESPACE/NAME` for people, as far as the value says; undefined if it has no kind or name. */
export function objectTitle(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, metadata } = value as { kind?: unknown; metadata?: unknown };
  if (typeof kind !== 'string' || typeof metadata !== 'object' || metadata === null) return undefined;
  const { name, namespace } = metadata as { name?: unknown; namespace?: unknown };
  if (typeof name !== 'string') return undefined;
  const prefix = kind === 'VMNetworkClass' ? '' : `${typeof namespace === 'string' ? namespace : 'default'}/`;
  return printable(`${kind} ${prefix}${name}`, 400);
}

/**
 * Where an own property `__proto__` stands, if anywhere. Zod drops it from maps of labels without a word, and a selector
 * that loses a label selects more VMs than were asked for.
 */
function pathOfProto(value: object): PropertyKey[] | undefined {
  const seen = new Set<object>();
  const pending: { node: object; path: PropertyKey[] }[] = [{ node: value, path: [] }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, path } = next;
    if (Object.hasOwn(node, '__proto__')) return [...path, '__proto__'];
    if (seen.has(node)) continue;
    seen.add(node);
    for (const [name, child] of Object.entries(node as Record<string, unknown>)) {
      if (typeof child !== 'object' || child === null) continue;
      pending.push({ node: child, path: [...path, Array.isArray(node) ? Number(name) : name] });
    }
  }
  return undefined;
}

function check<T>(schema: z.ZodType<T>, value: unknown, wrap: (object: T) => ApiObject): CheckedObject {
  const result = schema.safeParse(value);
  return result.success
    ? { ok: true, value: wrap(result.data) }
    : refused(explainIssues(schema, value, result.error.issues));
}

function refused(issues: FieldIssue[]): CheckedObject {
  return { ok: false, issues };
}

function unknownKind(kind: unknown): FieldIssue {
  const path = ['kind'];
  const all = KINDS.join(' or ');
  if (kind === undefined) {
    return {
      path,
      message: 'is required',
      remedy: `Begin with apiVersion: ${API_VERSION} and kind: ${all}.`,
    };
  }
  const near = typeof kind === 'string' ? suggest(kind, KINDS) : undefined;
  const remedy =
    near === undefined
      ? `Write ${all}; other kinds do not belong into this folder.`
      : `Did you mean ${near}?`;
  return { path, value: describeValue(kind), message: 'is not a kind that is known here', remedy };
}
