import { closeSync, readSync, writeSync } from 'node:fs';
import { openTap } from '../../../src/native/tap.ts';
import { concat } from '../frames/bytes.ts';

/** struct virtio_net_hdr (virtio 1.2, section 5.1.6), the length a tap uses unless told otherwise. */
const HEADER_BYTES = 10;
const NEEDS_CHECKSUM = 1;
const GSO_UDP_L4 = 5;
const UDP_HEADER = 34;

/** What a guest, or QEMU, may say about a frame besides its bytes. */
export interface SendOptions {
  /** Payload bytes a segment: makes the frame a UDP segmentation super-frame. */
  segmentBytes?: number;
  /** Where the host is to complete a checksum; offsets in bytes from the start of the frame, and from `start`. */
  checksum?: { start: number; offset: number };
  /** How much of the frame the guest calls its header: shapes the linear part of the host's buffer. */
  headerBytes?: number;
}

/** The guest's side of a tap, opened as QEMU opens it: one descriptor, virtio headers. */
export class VirtualCard {
  readonly #fd: number;
  #open = true;

  constructor(tap: string) {
    this.#fd = openTap(tap, { vnetHeader: true });
  }

  /** One frame from the guest. When this returns, the host has judged it. Throws what the tap driver says. */
  send(frame: Uint8Array, options: SendOptions = {}): void {
    const { segmentBytes, headerBytes = 0 } = options;
    const checksum =
      options.checksum ?? (segmentBytes === undefined ? undefined : { start: UDP_HEADER, offset: 6 });
    const header = new Uint8Array(HEADER_BYTES);
    const view = new DataView(header.buffer);
    if (checksum !== undefined) {
      view.setUint8(0, NEEDS_CHECKSUM);
      view.setUint16(6, checksum.start, true);
      view.setUint16(8, checksum.offset, true);
    }
    view.setUint16(2, segmentBytes === undefined ? headerBytes : UDP_HEADER + 8, true);
    if (segmentBytes !== undefined) {
      view.setUint8(1, GSO_UDP_L4);
      view.setUint16(4, segmentBytes, true);
    }
    writeSync(this.#fd, concat(header, frame));
  }

  /** Everything that has reached the guest since the last call. */
  received(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    const buffer = new Uint8Array(HEADER_BYTES + 65536);
    for (;;) {
      try {
        const length = readSync(this.#fd, buffer);
        frames.push(buffer.slice(HEADER_BYTES, length));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return frames;
        throw error;
      }
    }
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}
