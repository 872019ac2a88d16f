import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cutText } from '../../../src/lib/cut-text.ts';
import { microTime } from '../../../src/lib/micro-time.ts';

test.each([
  ['fits', 'abc', 3, 'abc'],
  ['is cut', 'abcdef', 5, 'ab…'],
  ['is not cut within a character', 'aüüü', 6, 'aü…'],
  ['of four bytes a character', '🔥🔥', 7, '🔥…'],
  ['has room for the ellipsis only', '🔥🔥', 5, '…'],
])('a text that %s', (_, text, bytes, cut) => {
  expect(cutText(text, bytes)).toBe(cut);
});

test('no text is longer than asked, nor other than its beginning', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.integer({ min: 3, max: 40 }),
      (text, bytes) => {
        const cut = cutText(text, bytes);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytes);
        expect(cut === text || text.startsWith(cut.slice(0, -1))).toBe(true);
        expect(cut).not.toContain('\ufffd');
      },
    ),
  );
});

test('a MicroTime has six digits', () => {
  expect(microTime(new Date('2026-01-02T03:04:05.678Z'))).toBe('2026-01-02T03:04:05.678000Z');
});
