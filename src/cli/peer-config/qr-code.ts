import { encode } from 'uqr';
import { InputError } from '../input-error.ts';

export interface QrLook {
  /** Black on white by colour; else light modules are drawn, and the terminal's background is the dark. */
  readonly coloured: boolean;
  /** Of the terminal; null: none. */
  readonly columns: number | null;
}

/** ISO/IEC 18004 asks for so many light modules around. */
const QUIET_MODULES = 4;
/** What version 40 holds at the lowest correction, bytes. */
const MOST_BYTES = 2953;
/** Of the 256: 16 is black and 231 white in every theme. */
const [BLACK_ON_WHITE, PLAIN] = ['\u001b[38;5;16;48;5;231m', '\u001b[0m'];

/**
 * A QR code in half blocks, two modules a character, each line ended.
 * @throws InputError (refused) where it would be illegible: too much text, or too narrow a terminal
 */
export function qrCode(text: string, { coloured, columns }: QrLook): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > MOST_BYTES) {
    const remedy = 'Use -o wg-quick and copy the file.';
    throw new InputError(
      '-o qr',
      `${bytes} bytes do not fit into a QR code (${MOST_BYTES})`,
      remedy,
      'refused',
    );
  }
  const { data: modules, size } = encode(text, { ecc: 'L', border: QUIET_MODULES });
  if (columns !== null && columns < size) {
    const remedy = 'Widen the terminal, or make its font smaller.';
    throw new InputError(
      '-o qr',
      `the code has ${size} columns, this terminal ${columns}`,
      remedy,
      'refused',
    );
  }
  const isDark = (row: number, column: number): boolean => modules[row]?.[column] ?? false;
  const isDrawn = (row: number, column: number): boolean => row < size && isDark(row, column) === coloured;
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    const blocks = Array.from({ length: size }, (_, column) =>
      block(isDrawn(row, column), isDrawn(row + 1, column)),
    ).join('');
    lines.push(coloured ? `${BLACK_ON_WHITE}${blocks}${PLAIN}\n` : `${blocks}\n`);
  }
  return lines.join('');
}

function block(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀';
  return lower ? '▄' : ' ';
}
