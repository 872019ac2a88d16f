import { concat } from '../frames/bytes.ts';

/** What every frame of a blaster says about itself, so that a capture can be held against what was in force when it was sent. */
export interface Stamp {
  /** Which place it was meant for. */
  place: string;
  /** Which VM sent it. */
  vm: string;
  /** CLOCK_MONOTONIC just before it was written to the tap. */
  sentNs: bigint;
  /** Counts the frames of one VM to one place. */
  sequence: number;
}

const MAGIC = 'VMNblast';
const STAMP_BYTES = 48;
/** Bytes of a WireGuard transport header. */
const HEADER_BYTES = 16;

/** Where the VM's name stands in the UDP payload. */
export const STAMP_OFFSETS = { vm: HEADER_BYTES + 28, vmBytes: 8 } as const;

/** A UDP payload that is WireGuard transport outside and a stamp inside: 16 bytes of header, 48 of stamp, a multiple of 16. */
export function stampedPayload({ place, vm, sentNs, sequence }: Stamp): Uint8Array {
  const stamp = Buffer.alloc(STAMP_BYTES);
  stamp.write(MAGIC, 0, 'latin1');
  stamp.writeBigUInt64BE(sentNs, 8);
  stamp.writeUInt32BE(sequence, 16);
  stamp.write(place.padEnd(8), 20, 8, 'latin1');
  stamp.write(vm.padEnd(STAMP_OFFSETS.vmBytes), 28, STAMP_OFFSETS.vmBytes, 'latin1');
  return concat(Uint8Array.of(4, 0, 0, 0), new Uint8Array(HEADER_BYTES - 4), stamp);
}

/** The stamp in a captured frame, null if the frame is no blaster's. */
export function stampOf(frame: Uint8Array): Stamp | null {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const at = bytes.indexOf(MAGIC, 0, 'latin1');
  if (at < 0 || bytes.length < at + STAMP_BYTES) return null;
  return {
    sentNs: bytes.readBigUInt64BE(at + 8),
    sequence: bytes.readUInt32BE(at + 16),
    place: bytes.toString('latin1', at + 20, at + 28).trimEnd(),
    vm: bytes.toString('latin1', at + 28, at + 28 + STAMP_OFFSETS.vmBytes).trimEnd(),
  };
}

/** The destination address of an IPv4 frame, dotted. */
export function destinationOf(frame: Uint8Array): string {
  return frame.subarray(30, 34).join('.');
}

/** The first few of some frames, for a message that can be read. */
export function briefly(frames: readonly Uint8Array[]): unknown[] {
  return frames.slice(0, 5).map((frame) => stampOf(frame) ?? Buffer.from(frame).toString('hex'));
}
