import { type CapturedFrame, MAX_FRAME_BYTES } from './captured-frame.ts';
import { InputError } from '../input-error.ts';

/*
 * The classic capture format (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html): a 24-byte file header,
 * then for each frame a 16-byte header and the bytes captured. Byte order and time unit follow from the magic number.
 */

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LINKTYPE_ETHERNET = 1;

const MAGICS: Readonly<Record<number, { littleEndian: boolean; nsPerUnit: bigint }>> = {
  0xa1b2c3d4: { littleEndian: false, nsPerUnit: 1000n },
  0xd4c3b2a1: { littleEndian: true, nsPerUnit: 1000n },
  0xa1b23c4d: { littleEndian: false, nsPerUnit: 1n },
  0x4d3cb2a1: { littleEndian: true, nsPerUnit: 1n },
};

const MAGIC_PCAPNG = 0x0a0d0d0a;

const RECAPTURE = 'Capture again with: tcpdump -i TAP -w FILE';

/** The frames of a capture file, one at a time. Throws InputError for what is not a whole Ethernet capture. */
export function* readPcap(file: Uint8Array, name: string): Generator<CapturedFrame, void, undefined> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const { littleEndian, nsPerUnit } = fileHeader(view, name);
  let at = FILE_HEADER_BYTES;
  for (let number = 1; at < view.byteLength; number++) {
    if (at + RECORD_HEADER_BYTES > view.byteLength) throw cutOff(name, number);
    const capturedBytes = view.getUint32(at + 8, littleEndian);
    const frameBytes = view.getUint32(at + 12, littleEndian);
    if (capturedBytes > MAX_FRAME_BYTES || frameBytes > MAX_FRAME_BYTES || capturedBytes > frameBytes) {
      const message = `frame ${number} claims ${capturedBytes} of ${frameBytes} bytes: the file is damaged`;
      throw new InputError(name, message, RECAPTURE);
    }
    const start = at + RECORD_HEADER_BYTES;
    if (start + capturedBytes > view.byteLength) throw cutOff(name, number);
    const seconds = BigInt(view.getUint32(at, littleEndian));
    const timeNs = seconds * 1_000_000_000n + BigInt(view.getUint32(at + 4, littleEndian)) * nsPerUnit;
    yield { number, timeNs, bytes: file.subarray(start, start + capturedBytes), frameBytes };
    at = start + capturedBytes;
  }
}

function fileHeader(view: DataView, name: string): { littleEndian: boolean; nsPerUnit: bigint } {
  if (view.byteLength === 0) throw new InputError(name, 'the file is empty', RECAPTURE);
  const magic = view.byteLength >= 4 ? view.getUint32(0) : 0;
  if (magic === MAGIC_PCAPNG) {
    throw new InputError(
      name,
      'this is a pcapng file',
      `Convert it: tcpdump -r ${name} -w FILE, or editcap -F pcap`,
    );
  }
  const kind = MAGICS[magic];
  if (!kind) throw new InputError(name, 'not a pcap file', RECAPTURE);
  if (view.byteLength < FILE_HEADER_BYTES)
    throw new InputError(name, 'the file header is cut off', RECAPTURE);
  // The upper bits hold the length of a frame check sequence, if there is one.
  const linkType = view.getUint32(20, kind.littleEndian) & 0xffff;
  if (linkType !== LINKTYPE_ETHERNET) {
    throw new InputError(
      name,
      `link type ${linkType} instead of Ethernet (1)`,
      'Capture on the tap, not on "any".',
    );
  }
  return kind;
}

function cutOff(name: string, number: number): InputError {
  const remedy = 'Let the capture end before reading it, or capture with tcpdump -U.';
  return new InputError(name, `the file ends within frame ${number}`, remedy);
}
