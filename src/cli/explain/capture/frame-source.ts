import { createReadStream } from 'node:fs';
import { readInput, unreadable } from '../../read-input.ts';
import { Capture } from './capture.ts';
import { type CapturedFrame, MAX_FRAME_BYTES } from './captured-frame.ts';
import { parseHexFrame } from './hex-frame.ts';

/** The options that say where frames come from; one of the two is given. */
export interface FrameSource {
  readonly frame?: readonly string[];
  readonly pcap?: string;
}

const CHUNK_BYTES = 262_144;

/**
 * The frames to judge, in order, and in batches of what came at once: so a live capture (`tcpdump -U -w - |`) is judged as
 * it comes. Throws InputError; a damaged capture throws where the damage begins, after the frames before it.
 * @param signal ends the reading of a file; standard input ends when its writer does
 */
export async function* framesOf(
  source: FrameSource,
  signal: AbortSignal,
): AsyncGenerator<Iterable<CapturedFrame>, void, undefined> {
  if (source.pcap === undefined) {
    yield (source.frame ?? []).map(frameByHand);
    return;
  }
  const capture = new Capture(source.pcap === '-' ? 'standard input' : source.pcap);
  for await (const chunk of chunksOf(source.pcap, signal)) yield capture.push(chunk);
  if (!signal.aborted) capture.end();
}

function frameByHand(text: string, index: number): CapturedFrame {
  const hex = text === '-' ? Buffer.from(readInput('-', 4 * MAX_FRAME_BYTES)).toString('latin1') : text;
  const bytes = parseHexFrame(hex);
  return { index, timeNs: null, bytes, frameBytes: bytes.length };
}

async function* chunksOf(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = name === '-' ? process.stdin : createReadStream(name, { highWaterMark: CHUNK_BYTES });
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      yield chunk;
      if (signal.aborted && name !== '-') return;
    }
  } catch (error) {
    throw unreadable(name, error);
  }
}
