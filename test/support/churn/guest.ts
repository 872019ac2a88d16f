import { writeSync } from 'node:fs';
import { CAST, fromGuest, GUEST_PORT } from '../frames/cast.ts';
import type { Destination } from '../frames/policy-bytes.ts';
import type { Namespace } from '../lab/index.ts';
import type { RunningVm } from '../stage/cluster-lab.ts';
import { FoundVm, makeTap } from '../stage/found-vm.ts';
import { stampedPayload } from '../stage/stamp.ts';

export type GuestKind = 'own' | 'found' | 'pod';

const GATEWAY = { gatewayAddress: '169.254.1.1', gatewayMac: '02:76:6d:6e:00:01' };

/** One VM of a churn run: who it is, how it sends, how it ends. */
export class Guest {
  readonly name: string;
  readonly kind: GuestKind;
  readonly tap: string;
  /** A change of it, or of its network, is under way. */
  busy = false;
  /** Where its network sends it; null: it has none. */
  sentTo: string | null = null;
  quarantined = false;
  /** As the agent told it. */
  address: string | null = null;
  readonly #mac: string;
  readonly #fd: number;
  readonly #end: () => Promise<void>;
  #sequence = 0;
  #ended = false;

  private constructor(
    who: Pick<Guest, 'name' | 'kind' | 'tap'> & { readonly mac: string; readonly fd: number },
    end: () => Promise<void>,
  ) {
    this.name = who.name;
    this.kind = who.kind;
    this.tap = who.tap;
    this.#mac = who.mac;
    this.#fd = who.fd;
    this.#end = end;
  }

  static own(vm: RunningVm): Guest {
    const { name, tap, mac, fd } = vm;
    return new Guest({ name, kind: 'own', tap, mac, fd }, () => Promise.resolve(vm.close()));
  }

  /** On a tap that somebody else made, in a bridge or not. */
  static async found(
    kind: 'found' | 'pod',
    space: Namespace,
    name: string,
    tap: string,
    bridge: string | null,
  ): Promise<Guest> {
    const mac = `52:54:00:${hex(name)}`;
    await makeTap(space, tap, bridge);
    const vm = FoundVm.start(space, name, [{ tap, mac }]);
    return new Guest({ name, kind, tap, mac, fd: vm.fd() }, async () => {
      await vm.kill();
      await space.run(['ip', 'link', 'del', tap]);
    });
  }

  /** One frame to each place, each telling who sent it, to whom and when. */
  send(places: Readonly<Record<string, Destination>>): void {
    if (this.#ended) return;
    this.#sequence += 1;
    const guestAddress = this.address ?? CAST.guestAddress;
    for (const [place, endpoint] of Object.entries(places)) {
      const cast = { ...CAST, ...GATEWAY, guestMac: this.#mac, guestAddress, endpoint };
      const stamp = { place, vm: this.name, sequence: this.#sequence, sentNs: process.hrtime.bigint() };
      const udp = {
        sourcePort: GUEST_PORT,
        destinationPort: endpoint.port,
        payload: stampedPayload(stamp),
      };
      try {
        writeSync(this.#fd, fromGuest(cast, { ip: { destination: endpoint.address }, udp }));
      } catch (error) {
        // EIO: the interface is down; EBADFD: it is gone; EAGAIN: nobody takes frames from it just now.
        const { code = '' } = error as NodeJS.ErrnoException;
        if (!['EIO', 'EBADFD', 'EAGAIN', 'EBADF'].includes(code)) throw error;
      }
    }
  }

  /** Idempotent. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#end();
  }
}

/** Three bytes of a MAC for `v17`. */
function hex(name: string): string {
  const number = Number(name.replace(/\D/g, ''));
  return [number >> 16, number >> 8, number]
    .map((byte) => (byte & 255).toString(16).padStart(2, '0'))
    .join(':');
}
