import { InputError } from '../../input-error.ts';
import { MAX_FRAME_BYTES } from './captured-frame.ts';

const REMEDY =
  'Give pairs of hex digits, Ethernet header first; spaces, colons and line breaks between them are fine.';

/** Bytes of `02:76:… 08 00 45…` or `0x0276…`. Throws InputError that says where the text stops being hex. */
export function parseHexFrame(text: string): Uint8Array {
  const digits = text.trim().replace(/^0x/i, '').replace(/[\s:]/g, '');
  if (digits === '') throw misspelt('the frame is empty');
  const stray = /[^0-9a-f]/iu.exec(digits);
  if (stray) throw misspelt(`'${stray[0]}' at digit ${stray.index + 1} is not a hex digit`);
  if (digits.length % 2 === 1) throw misspelt(`an odd number of hex digits (${digits.length})`);
  if (digits.length / 2 > MAX_FRAME_BYTES) throw misspelt(`longer than ${MAX_FRAME_BYTES} bytes`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function misspelt(what: string): InputError {
  return new InputError('--frame', what, REMEDY, 'misspelt');
}
