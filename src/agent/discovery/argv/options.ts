/** One value of a QEMU option, as keys to texts. */
export type Options = ReadonlyMap<string, string>;

const MOST_KEYS = 256;

/**
 * QEMU's `KEY=VALUE,…` (util/qemu-option.c, util/keyval.c): `,,` is a comma, a first part without `=` is the value of
 * `implied`, a later one is a switch, off when it begins with `no`; of a repeated key the last counts. Or an object in JSON.
 */
export function parseOptions(text: string, implied: string): Options {
  return text.startsWith('{') ? parseJsonOptions(text) : parseKeyValues(text, implied);
}

function parseKeyValues(text: string, implied: string): Options {
  const options = new Map<string, string>();
  partsOf(text).forEach((part, at) => {
    const equals = part.indexOf('=');
    if (equals >= 0) options.set(part.slice(0, equals), part.slice(equals + 1));
    else if (at === 0) options.set(implied, part);
    else if (part.startsWith('no')) options.set(part.slice(2), 'off');
    else options.set(part, 'on');
  });
  return options;
}

function partsOf(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < text.length && parts.length < MOST_KEYS;) {
    const comma = text.indexOf(',', at);
    const end = comma < 0 ? text.length : comma;
    part += text.slice(at, end);
    if (text[end + 1] === ',' && comma >= 0) {
      part += ',';
      at = end + 2;
      continue;
    }
    parts.push(part);
    part = '';
    at = end + 1;
  }
  if (part !== '') parts.push(part);
  return parts;
}

/** Scalars only: nothing that is asked for is nested. */
function parseJsonOptions(text: string): Options {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new Map();
  }
  if (typeof value !== 'object' || value === null) return new Map();
  const options = new Map<string, string>();
  for (const [key, entry] of Object.entries(value).slice(0, MOST_KEYS)) {
    if (typeof entry === 'boolean') options.set(key, entry ? 'on' : 'off');
    else if (typeof entry === 'string' || typeof entry === 'number') options.set(key, String(entry));
  }
  return options;
}
