/**
 * Text from strangers, made safe for terminals, logs and status. A manifest may hold escape sequences that clear the
 * screen, or direction marks that show `01.3.2.1` as something else; after this they are seen, not obeyed.
 */
const UNPRINTABLE =
  // C0, DEL, C1; soft hyphen; zero width and direction marks; line separators; BOM; tags; what is no character.
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;

/** `text` on one line, everything invisible as `\u{hex}`, cut to `maxLength` characters with a `…`. */
export function printable(text: string, maxLength = 120): string {
  // Cut before and after: the escape may make it longer, and a 1 MiB text need not be escaped to be cut.
  const escaped = text.slice(0, maxLength + 1).replace(UNPRINTABLE, escape);
  if (escaped.length <= maxLength) return escaped;
  // Not between the two halves of a character.
  return `${escaped.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** A value of a manifest in a few words: strings quoted, collections by their size. Never throws. */
export function describeValue(value: unknown, maxLength = 120): string {
  if (typeof value === 'string') return `"${printable(value, maxLength)}"`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    return keys.length === 0 ? 'an empty mapping' : printable(`a mapping of ${keys.join(', ')}`, maxLength);
  }
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  return value === null ? 'null' : typeof value;
}

function escape(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
