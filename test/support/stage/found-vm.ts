import { closeSync } from 'node:fs';
import { openTap } from '../../../src/native/tap.ts';
import { Qemu } from '../discovery/qemu.ts';
import { fromGuest, type Cast, CAST } from '../frames/cast.ts';
import type { Destination } from '../frames/policy-bytes.ts';
import type { Namespace } from '../lab/index.ts';
import { moveInto } from './own-namespace.ts';

export interface FoundCardOptions {
  readonly mac: string;
  readonly tap: string;
}

/**
 * A VM that somebody else started: a real QEMU whose guest never runs, on taps that it was handed, as libvirt does it. The test
 * plays the cards, through the same descriptors.
 */
export class FoundVm {
  readonly name: string;
  readonly qemu: Qemu;
  readonly cards: readonly FoundCardOptions[];
  readonly #fds: readonly number[];
  #open = true;

  private constructor(name: string, qemu: Qemu, cards: readonly FoundCardOptions[], fds: readonly number[]) {
    this.name = name;
    this.qemu = qemu;
    this.cards = cards;
    this.#fds = fds;
  }

  /** `words`: more of the command line. The taps must be there. */
  static start(
    host: Namespace,
    name: string,
    cards: readonly FoundCardOptions[],
    words: readonly string[] = [],
  ): FoundVm {
    const leave = moveInto(host);
    const fds = cards.map(({ tap }) => openTap(tap));
    leave();
    const devices = cards.flatMap(({ mac }, at) => [
      ...['-netdev', `tap,id=n${String(at)},fd=${String(3 + at)}`],
      ...['-device', `virtio-net-pci,netdev=n${String(at)},mac=${mac}`],
    ]);
    const qemu = new Qemu(host, ['-name', `guest=${name}`, '-nodefaults', ...devices, ...words], { fds });
    return new FoundVm(name, qemu, cards, fds);
  }

  /** What a card of it is written to: whole frames. */
  fd(card = 0): number {
    const fd = this.#fds[card];
    if (fd === undefined) throw new Error(`${this.name} has no card ${String(card)}`);
    return fd;
  }

  /** A datagram of a guest with this address, from a port of its own. */
  datagram(guestAddress: string, to: Destination, sourcePort: number, card = 0): Uint8Array {
    const { mac = '' } = this.cards[card] ?? {};
    const cast: Cast = { ...CAST, guestMac: mac, guestAddress, ...GATEWAY, endpoint: to };
    const ip = { destination: to.address };
    return fromGuest(cast, { ip, udp: { destinationPort: to.port, sourcePort } });
  }

  /** From now on QEMU alone holds its taps. */
  letGo(): void {
    if (this.#open) for (const fd of this.#fds) closeSync(fd);
    this.#open = false;
  }

  /** It ends as a VM whose plug is pulled, and nobody holds its taps. */
  async kill(): Promise<void> {
    this.letGo();
    await this.qemu.kill();
  }
}

/** As every guest has it; see wiring/identity.ts. */
export const GATEWAY = { gatewayAddress: '169.254.1.1', gatewayMac: '02:76:6d:6e:00:01' };

/** A tap as `ip tuntap` makes it, up, in a bridge if one is named. */
export async function makeTap(host: Namespace, tap: string, bridge: string | null = null): Promise<void> {
  await host.run(['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap']);
  if (bridge !== null) await host.run(['ip', 'link', 'set', tap, 'master', bridge]);
  await host.run(['ip', 'link', 'set', tap, 'up']);
}
