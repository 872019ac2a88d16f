/**
 * A pure function of an object that nobody changes, such as one version of what a cache holds, computed once for each. It is no
 * state: what it gives depends on the object alone, and is forgotten with it. So it may stand in a module, and plans that use it
 * stay pure; handed from `main` through every plan it would only be longer.
 */
export function oncePerObject<K extends object, V extends object | string | number | null>(
  compute: (object: K) => V,
): (object: K) => V {
  const known = new WeakMap<K, V>();
  return (object) => {
    const found = known.get(object);
    if (found !== undefined) return found;
    const value = compute(object);
    known.set(object, value);
    return value;
  };
}
