import { ethernet, EtherType } from '../frames/ethernet.ts';
import { ipv4, Protocol, type Ipv4Fields } from '../frames/ipv4.ts';
import { keepAlive } from '../frames/wireguard.ts';
import { tcp } from '../frames/tcp.ts';
import { udp } from '../frames/udp.ts';
import type { Destination } from '../frames/policy-bytes.ts';
import type { Namespace } from '../lab/index.ts';

/** Somebody on a cable, who can say anything to the next hop of it, whoever he is. */
export class Outsider {
  readonly #space: Namespace;
  readonly #device: string;
  readonly #nextHop: string;

  private constructor(space: Namespace, device: string, nextHop: string) {
    this.#space = space;
    this.#device = device;
    this.#nextHop = nextHop;
  }

  /** At `device` of `space`; the other end of the cable is `peerDevice` of `peer`. */
  static async at(space: Namespace, device: string, peer: Namespace, peerDevice: string): Promise<Outsider> {
    const [link] = JSON.parse(await peer.run(['ip', '-j', 'link', 'show', peerDevice])) as {
      address: string;
    }[];
    if (link === undefined) throw new Error(`${peer.name} has no ${peerDevice}`);
    return new Outsider(space, device, link.address);
  }

  /** A datagram; a keep-alive unless said otherwise. */
  async say(from: Destination, to: Destination, payload = keepAlive()): Promise<void> {
    const between = { source: from.address, destination: to.address };
    const inner = udp({ sourcePort: from.port, destinationPort: to.port, payload, between });
    await this.#send({ ...between, protocol: Protocol.udp, payload: inner });
  }

  /** The first segment of a TCP connection. */
  async connect(from: Destination, to: Destination): Promise<void> {
    const between = { source: from.address, destination: to.address };
    const inner = tcp({ ...between, sourcePort: from.port, destinationPort: to.port });
    await this.#send({ ...between, protocol: Protocol.tcp, payload: inner });
  }

  async #send(packet: Ipv4Fields): Promise<void> {
    const ends = { destination: this.#nextHop, source: '02:00:00:00:00:99' };
    const frame = ethernet({ ...ends, etherType: EtherType.ipv4, payload: ipv4(packet) });
    await this.#space.sendFrames(this.#device, [frame]);
  }
}
