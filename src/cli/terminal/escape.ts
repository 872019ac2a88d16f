/**
 * Names, values and frame bytes come from tenants and guests. Nothing of theirs may reach a terminal as a control
 * character, a line break, a combining mark or a change of writing direction.
 */

/** All that is not plainly visible and one column wide: controls, format characters, separators, marks, surrogates. */
const HIDDEN = /[^\p{L}\p{N}\p{P}\p{S} ]/gu;

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/**
 * Makes foreign text safe for one line of a terminal.
 * @param limit longest result in characters; what is cut off is shown as `…`
 */
export function escapeText(text: string, limit = 400): string {
  const escaped = text.slice(0, limit + 1).replace(HIDDEN, visible);
  return escaped.length > limit ? `${escaped.slice(0, limit - 1)}…` : escaped;
}

/** As `escapeText`, for text of several lines that we wrote and that quotes foreign text (usage errors). */
export function escapeLines(text: string): string {
  return text
    .split('\n')
    .map((line) => escapeText(line, 2000))
    .join('\n');
}

/** BigInts become numbers while they are exact, else decimal text. */
function plain(_: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
}

function unicodeEscape(text: string): string {
  return Array.from({ length: text.length }, (_, at) => {
    return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}

/** JSON with every hidden character as `\uXXXX`: the same value for a parser, harmless for a terminal. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, plain, indent).replace(/[^\p{L}\p{N}\p{P}\p{S} \n]/gu, unicodeEscape);
}
