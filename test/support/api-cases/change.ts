/** A field of an object, set, or removed by undefined. `path` as in messages: `spec.selector.names`, `spec.peers[0].name`. */
export type Changes = Readonly<Record<string, unknown>>;

/** A copy of `object` with these changes; what is missing on the way is made. */
export function changed<T extends object>(object: T, changes: Changes): T {
  const copy = structuredClone(object);
  for (const [path, value] of Object.entries(changes)) setAt(copy, stepsOf(path), value);
  return copy;
}

export function valueAt(object: unknown, path: string): unknown {
  return stepsOf(path).reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], object);
}

function stepsOf(path: string): string[] {
  return path.split(/[.[\]]+/).filter((step) => step !== '');
}

function setAt(object: object, steps: readonly string[], value: unknown): void {
  const [last = '', ...reversed] = [...steps].reverse();
  let node = object as Record<string, unknown>;
  for (const step of reversed.reverse()) node = (node[step] ??= {}) as Record<string, unknown>;
  if (value === undefined) Reflect.deleteProperty(node, last);
  else node[last] = value;
}
