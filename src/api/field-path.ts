import { printable } from './printable.ts';

/** Way from the top of an object to a field: names of fields and places in lists. */
export type FieldPath = readonly PropertyKey[];

/** `spec.selector.names[0]`, `metadata.labels["example.com/team"]`. Hostile names come out escaped. */
export function formatFieldPath(path: FieldPath): string {
  return path.map((step, index) => formatStep(step, index === 0)).join('');
}

function formatStep(step: PropertyKey, first: boolean): string {
  if (typeof step === 'number') return `[${step}]`;
  const name = String(step);
  if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)) return first ? name : `.${name}`;
  return `["${printable(name, 64)}"]`;
}
