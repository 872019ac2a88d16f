import { MAX_FRAME_BYTES } from './captured-frame.ts';
import { InputError } from '../input-error.ts';

const REMEDY =
  'Give pairs of hex digits, Ethernet header first; spaces, colons and line breaks between them are fine.';

/** Bytes of `02:76:… 08 00 45…` or `0x0276…`. Throws InputError that says where the text stops being hex. */
export function parseHexFrame(text: string): Uint8Array {
  const digits = text.trim().replace(/^0x/i, '').replace(/[\s:]/g, '');
  if (digits === '') throw new InputError('--frame', 'the frame is empty', REMEDY);
  const stray = /[^0-9a-f]/iu.exec(digits);
  if (stray)
    throw new InputError('--frame', `'${stray[0]}' at digit ${stray.index + 1} is not a hex digit`, REMEDY);
  if (digits.length % 2 === 1)
    throw new InputError('--frame', `an odd number of hex digits (${digits.length})`, REMEDY);
  if (digits.length / 2 > MAX_FRAME_BYTES) {
    throw new InputError('--frame', `longer than ${MAX_FRAME_BYTES} bytes`, 'Give one frame.');
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}
