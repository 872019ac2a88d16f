import { readInput } from '../read-input.ts';
import { type CapturedFrame, MAX_FRAME_BYTES } from './captured-frame.ts';
import { parseHexFrame } from './hex-frame.ts';
import { readPcap } from './pcap.ts';

/** The options that say where frames come from; one of the two is given. */
export interface FrameSource {
  readonly frame?: readonly string[];
  readonly pcap?: string;
}

const MAX_CAPTURE_BYTES = 512 * 1024 * 1024;

/** The frames to judge, in order. Throws InputError; a damaged capture throws when its damaged frame is reached. */
export function* framesOf(source: FrameSource): Generator<CapturedFrame, void, undefined> {
  if (source.pcap !== undefined) yield* readPcap(readInput(source.pcap, MAX_CAPTURE_BYTES), source.pcap);
  for (const [index, text] of (source.frame ?? []).entries()) {
    const hex = text === '-' ? Buffer.from(readInput('-', 4 * MAX_FRAME_BYTES)).toString('latin1') : text;
    const bytes = parseHexFrame(hex);
    yield { number: index + 1, timeNs: null, bytes, frameBytes: bytes.length };
  }
}
