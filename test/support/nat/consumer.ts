import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { poll } from '../lab/poll.ts';

export interface Datagram {
  payload: Uint8Array;
  from: RemoteInfo;
}

/** A UDP socket on loopback that keeps what it receives and answers it, unless it is silent. */
export class Consumer {
  readonly received: Datagram[] = [];
  silent = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (payload, from) => {
      this.received.push({ payload: Uint8Array.from(payload), from });
      if (!this.silent) socket.send(payload, from.port, from.address);
    });
  }

  static async listen(address = '127.0.0.1', port = 0): Promise<Consumer> {
    const socket = createSocket('udp4');
    socket.bind(port, address);
    await once(socket, 'listening');
    return new Consumer(socket);
  }

  get endpoint(): { address: string; port: number } {
    return this.#socket.address();
  }

  send(payload: Uint8Array, to: { address: string; port: number }): void {
    this.#socket.send(payload, to.port, to.address);
  }

  async datagram(seen = 0): Promise<Datagram> {
    return poll(`datagram ${seen + 1} to the consumer`, () => this.received[seen]);
  }

  close(): void {
    this.#socket.close();
  }
}
