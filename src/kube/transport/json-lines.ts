import { TransportError } from './transport-error.ts';

const NEWLINE = 0x0a;

/**
 * The JSON values of a stream that has one on each line, however its bytes are cut. Throws `TransportError` for a line
 * that is no JSON (`BAD_RESPONSE`), a stream that ends within one (`BAD_RESPONSE`), and one of more than `maxLineBytes`
 * (`TOO_LARGE`), of which no more than that is held.
 */
export async function* jsonLines(source: AsyncIterable<Buffer>, maxLineBytes: number): AsyncGenerator {
  // Kept in pieces: joining them at each chunk would take quadratic time for a long line.
  let pieces: Buffer[] = [];
  let held = 0;
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, end);
      if (held + piece.length > maxLineBytes) throw tooLong(maxLineBytes);
      const line = pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
      pieces = [];
      held = 0;
      start = end + 1;
      if (!isBlank(line)) yield parse(line);
    }
    const rest = chunk.subarray(start);
    if (rest.length === 0) continue;
    held += rest.length;
    if (held > maxLineBytes) throw tooLong(maxLineBytes);
    pieces.push(rest);
  }
  const tail = Buffer.concat(pieces);
  if (!isBlank(tail)) throw new TransportError('BAD_RESPONSE', 'the stream ended within a line');
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8')) as unknown;
  } catch (cause) {
    throw new TransportError('BAD_RESPONSE', 'a line of the stream is not JSON', cause);
  }
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

function tooLong(maxLineBytes: number): TransportError {
  return new TransportError('TOO_LARGE', `a line of the stream has more than ${maxLineBytes} bytes`);
}
