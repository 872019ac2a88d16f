/** One thing of an XML text. `path` is the element's, joined by `/`, its own name included. */
export type XmlPart =
  | { readonly kind: 'open'; readonly path: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly kind: 'close'; readonly path: string }
  | { readonly kind: 'text'; readonly path: string; readonly text: string };

const DEEPEST = 64;
const MOST_ATTRIBUTES = 64;
const LONGEST_TAG = 64 * 1024;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/*
 * Reads the XML that libvirt writes: elements, attributes, text, comments, the five entities and character numbers. What a
 * program never writes into such a file (DTDs, own entities, CDATA) is passed over or ends the reading; nothing is ever
 * fetched or expanded. One look at each character.
 */

/** The parts in their order; stops at what is no XML. Never throws. */
export function* readXml(text: string): Generator<XmlPart> {
  const path: string[] = [];
  for (let at = 0; at < text.length;) {
    const open = text.indexOf('<', at);
    if (open < 0) return;
    const between = text.slice(at, open);
    if (path.length > 0 && between.trim() !== '')
      yield { kind: 'text', path: path.join('/'), text: plain(between.trim()) };
    const marked = skipMarked(text, open);
    if (marked !== null) {
      at = marked;
      continue;
    }
    const end = endOfTag(text, open);
    if (end < 0 || end - open > LONGEST_TAG) return;
    const tag = text.slice(open + 1, end);
    at = end + 1;
    if (tag.startsWith('/')) {
      if (path.length === 0) return;
      yield { kind: 'close', path: path.join('/') };
      path.pop();
      continue;
    }
    const [, name = ''] = /^([\w.:-]+)/.exec(tag) ?? [];
    if (name === '' || path.length >= DEEPEST) return;
    path.push(name);
    yield { kind: 'open', path: path.join('/'), attributes: attributesOf(tag.slice(name.length)) };
    if (!tag.endsWith('/')) continue;
    yield { kind: 'close', path: path.join('/') };
    path.pop();
  }
}

/** Behind a comment, a declaration or a processing instruction that begins here; null when none does. */
function skipMarked(text: string, at: number): number | null {
  const close = text.startsWith('<!--', at) ? '-->' : /^<[!?]/.test(text.slice(at, at + 2)) ? '>' : null;
  if (close === null) return null;
  const end = text.indexOf(close, at + 2);
  return end < 0 ? text.length : end + close.length;
}

/** The `>` that ends a tag: not one within quotes. */
function endOfTag(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at;
  }
  return -1;
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = '', double, single] of text.matchAll(/\s([\w.:-]+)=(?:"([^"]*)"|'([^']*)')/g)) {
    if (attributes.size >= MOST_ATTRIBUTES) break;
    attributes.set(name, plain(double ?? single ?? ''));
  }
  return attributes;
}

function plain(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,8}));/g, (whole, decimal, hex, name) => {
    if (typeof name === 'string') return ENTITIES[name] ?? whole;
    const code = typeof hex === 'string' ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
  });
}
