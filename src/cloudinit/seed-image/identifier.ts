/**
 * How one name is said in the two trees of a volume. What `file-rules.ts` lets through has ASCII letters, digits and `._-`
 * only, and at most 30 of them, so nothing is ever cut and two names collide only where they fold to one.
 */

/** Root directory itself and its parent (ECMA-119 7.6.2). */
export const SELF = Buffer.of(0);
export const PARENT = Buffer.of(1);

/**
 * The identifier for those who read neither Rock Ridge nor Joliet: `network-config` is `NETWORK_CONFIG.;1`. Upper case, the
 * last dot before the extension, `_` for all else, version 1 (ECMA-119 7.5.1, interchange level 2: name and extension of
 * 30 characters together).
 */
export function plainIdentifier(name: string): string {
  const dot = name.lastIndexOf('.');
  const [stem, extension] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
  return `${dCharacters(stem)}.${dCharacters(extension)};1`;
}

/** As Joliet records names: UCS-2, big endian. Without a version, like genisoimage and libisofs: Linux cuts it, others show it. */
export function ucs2(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/**
 * The order of records in a directory (ECMA-119 9.3): names filled up with what is lower than any character, then extensions
 * likewise. That is the order of the characters when the dot is the lowest of them. No two differ in their version alone.
 */
export function compareIdentifiers(a: string, b: string): number {
  const [left, right] = [inOrder(a), inOrder(b)];
  return left < right ? -1 : Number(left > right);
}

function dCharacters(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
}

function inOrder(identifier: string): string {
  return identifier.replace(/;1$/, '').replaceAll('.', ' ');
}
