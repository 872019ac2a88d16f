import type { CapturedFrame } from './captured-frame.ts';
import { InputError } from '../../input-error.ts';

/**
 * Reads one capture format from bytes as they come, in pieces of any size. What it keeps is bounded by its largest
 * frame, so a capture of any length, or one that does not end, needs little memory.
 */
export interface CaptureParser {
  /** The frames that these bytes complete. Throws InputError where damage begins, after the frames before it. */
  push(bytes: Uint8Array): Generator<CapturedFrame, void, undefined>;
  /** Called once, when no more bytes come. Throws InputError if that is in the middle of something. */
  end(): void;
}

export function damaged(name: string, what: string): InputError {
  return new InputError(
    name,
    `${what}: the file is damaged`,
    'Capture again, or let Wireshark repair it: editcap FILE REPAIRED',
  );
}

export function cutOff(name: string, where: string): InputError {
  const remedy = 'Let the capture end before reading it, or capture with tcpdump -U.';
  return new InputError(name, `the file ends within ${where}`, remedy);
}
