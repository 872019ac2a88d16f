import { stripVTControlCharacters } from 'node:util';
import { expect, test } from '@jest/globals';
import { encode } from 'uqr';
import { qrCode } from '../../../../src/cli/peer-config/qr-code.ts';

const TEXT = '[Interface]\nPrivateKey = YOUR_OWN_PRIVATE_KEY\n';

/** The modules that a terminal would show, true for dark. */
function modulesOf(code: string, coloured: boolean): boolean[][] {
  const lines = stripVTControlCharacters(code).slice(0, -1).split('\n');
  return lines.flatMap((line) => [
    Array.from(line, (block) => '█▀'.includes(block) === coloured),
    Array.from(line, (block) => '█▄'.includes(block) === coloured),
  ]);
}

test.each([true, false])('what is drawn is the code, with its quiet zone; coloured: %p', (coloured) => {
  const { data, size } = encode(TEXT, { ecc: 'L', border: 4 });
  const seen = modulesOf(qrCode(TEXT, { coloured, columns: null }), coloured);
  expect(seen.slice(0, size)).toEqual(data);
  expect(data.slice(0, 4).flat()).not.toContain(true);
});

test('colours are set for each line and taken back before its end', () => {
  const lines = qrCode(TEXT, { coloured: true, columns: 80 }).trimEnd().split('\n');
  for (const line of lines) {
    expect(line.startsWith('\u001b[38;5;16;48;5;231m')).toBe(true);
    expect(line.endsWith('\u001b[0m')).toBe(true);
    expect(stripVTControlCharacters(line)).toMatch(/^[ █▀▄]+$/u);
  }
});

test('what would be illegible is refused', () => {
  const refused = (message: RegExp) =>
    expect.objectContaining({
      on: '-o qr',
      fault: 'refused',
      message: expect.stringMatching(message) as unknown,
    });
  expect(() => qrCode('x'.repeat(2954), { coloured: false, columns: null })).toThrow(refused(/2954 bytes/));
  expect(() => qrCode(TEXT, { coloured: true, columns: 20 })).toThrow(refused(/columns, this terminal 20/));
  expect(qrCode('x'.repeat(2953), { coloured: false, columns: null })).not.toBe('');
});
