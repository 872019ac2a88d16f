import type { CapturedFrame } from '../../../../src/cli/explain/capture/captured-frame.ts';
import { Capture } from '../../../../src/cli/explain/capture/capture.ts';

/** All frames of a capture, which comes in pieces of `pieceBytes`. Throws as the capture does, frames before that lost. */
export function readCapture(file: Uint8Array, pieceBytes = file.length): CapturedFrame[] {
  const frames: CapturedFrame[] = [];
  readInto(frames, file, pieceBytes);
  return frames;
}

/** The same; what was read before damage stays in `frames`. */
export function readInto(frames: CapturedFrame[], file: Uint8Array, pieceBytes = file.length): void {
  const capture = new Capture('tap.pcap');
  for (let at = 0; at < file.length; at += pieceBytes) {
    for (const frame of capture.push(file.subarray(at, at + pieceBytes))) frames.push(frame);
  }
  capture.end();
}
