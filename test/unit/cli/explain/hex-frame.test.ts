import { expect, test } from '@jest/globals';
import { parseHexFrame } from '../../../../src/cli/explain/capture/hex-frame.ts';

test.each(['0102ff', '0x0102FF', ' 01 02\nff ', '01:02:fF'])('reads %j', (text) => {
  expect(parseHexFrame(text)).toEqual(Uint8Array.of(1, 2, 255));
});

test.each([
  ['', 'the frame is empty'],
  ['  ', 'the frame is empty'],
  ['012', 'an odd number of hex digits (3)'],
  ['01zz', "'z' at digit 3 is not a hex digit"],
  ['01\u001b[2J', "'\u001b' at digit 3 is not a hex digit"],
  ['00'.repeat(262_145), 'longer than 262144 bytes'],
])('refuses %j', (text, message) => {
  expect(() => parseHexFrame(text)).toThrow(message);
});
