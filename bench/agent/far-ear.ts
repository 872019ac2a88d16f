import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Destination } from '../../test/support/frames/policy-bytes.ts';
import type { Namespace } from '../../test/support/lab/index.ts';
import { moveInto } from '../../test/support/stage/own-namespace.ts';
import { within } from '../fleet/deadline.ts';

/** A consumer that hears whether a datagram has come. */
export class FarEar {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(space: Namespace, { address, port }: Destination): Promise<FarEar> {
    // A socket stays in the namespace in which it was made: nothing else is done until it is there.
    const leave = moveInto(space);
    try {
      const socket = createSocket('udp4');
      socket.bind(port, address);
      await once(socket, 'listening');
      return new FarEar(socket);
    } finally {
      leave();
    }
  }

  /** The next datagram from now on. */
  async hears(signal: AbortSignal): Promise<void> {
    await within(signal, once(this.#socket, 'message', { signal }));
  }

  close(): void {
    this.#socket.close();
  }
}
