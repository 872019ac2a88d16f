import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { escapeLines, escapeText, jsonText } from '../../../src/cli/terminal/escape.ts';

/** Characters that move a cursor, break a line, hide or turn text round. */
const HOSTILE = [
  '\u001b[2J',
  '\r',
  '\n',
  '\u0007',
  '\u007f',
  '\u009b31m',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u2028',
  '\ufeff',
  '\u0301',
];

describe('escapeText', () => {
  test('shows hostile characters as escapes', () => {
    expect(escapeText('a\u001b[31mb\u009bc\u202ed')).toBe('a\\x1b[31mb\\x9bc\\u{202e}d');
    expect(escapeText('\ud800')).toBe('\\u{d800}');
  });

  test('leaves ordinary text alone', () => {
    expect(escapeText('rental-7f3a → 203.0.113.10:51900, ä 中')).toBe(
      'rental-7f3a → 203.0.113.10:51900, ä 中',
    );
  });

  test('cuts long text', () => {
    expect(escapeText('x'.repeat(10), 5)).toBe('xxxx…');
    expect(escapeText('\n'.repeat(1_000_000)).length).toBeLessThanOrEqual(400);
  });

  test('lets nothing hidden through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(...HOSTILE), (text, hostile) => {
        for (const safe of [escapeText(text + hostile), escapeLines(text + hostile).replaceAll('\n', '')]) {
          expect(safe).not.toMatch(/[\p{C}\p{M}\p{Zl}\p{Zp}]/u);
        }
      }),
    );
  });
});

describe('jsonText', () => {
  test('parses back to the same value and holds nothing hidden', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.string({ unit: 'binary' }),
        fc.constantFrom(...HOSTILE),
        (value, text, hostile) => {
          const whole = { value, text: text + hostile };
          const json = jsonText(whole, 2);
          expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(whole)));
          expect(json.replaceAll('\n', '')).not.toMatch(/[\p{C}\p{M}\p{Zl}\p{Zp}]/u);
        },
      ),
    );
  });

  test('writes BigInts as numbers while exact, as text beyond', () => {
    expect(jsonText({ a: 5n, b: 2n ** 64n })).toBe('{"a":5,"b":"18446744073709551616"}');
  });
});
