import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { concat, u32 } from '../frames/index.ts';
import { poll } from '../lab/poll.ts';

/** A frame as it travels on a stream: its length before it (QEMU -netdev stream). */
export function prefixed(frame: Uint8Array, length = frame.byteLength): Uint8Array {
  return concat(u32(length), frame);
}

/** The guest's end of the stream: what QEMU would be. */
export class GuestEnd {
  readonly socket: Duplex;
  /** Whole frames that came, in order. */
  readonly frames: Uint8Array[] = [];
  #received = Buffer.alloc(0);

  /** `socket`: where frames go and come as they do on a stream. */
  constructor(socket: Duplex) {
    this.socket = socket;
    this.socket.on('error', () => undefined); // the engine may end the connection; tests look at what came of it
    this.socket.on('data', (bytes: Buffer) => this.#take(bytes));
  }

  static async connect(path: string): Promise<GuestEnd> {
    const socket: Socket = createConnection({ path });
    socket.setNoDelay(true);
    await once(socket, 'connect');
    return new GuestEnd(socket);
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(concat(...frames.map((frame) => prefixed(frame))));
  }

  /** The frame after those that were `seen`. */
  async frame(seen = 0): Promise<Uint8Array> {
    return poll(`frame ${seen + 1} to the guest`, () => this.frames[seen]);
  }

  async ended(): Promise<void> {
    await poll('the end of the stream', () => this.socket.destroyed || this.socket.readableEnded);
  }

  close(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.byteLength >= 4) {
      const end = 4 + this.#received.readUInt32BE(0);
      if (this.#received.byteLength < end) return;
      this.frames.push(Uint8Array.from(this.#received.subarray(4, end)));
      this.#received = this.#received.subarray(end);
    }
  }
}
