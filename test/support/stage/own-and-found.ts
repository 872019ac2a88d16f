import { closeSync } from 'node:fs';
import type { AgentStatus, AttachmentStatus } from '../../../src/agent/status/status.ts';
import { openTap } from '../../../src/native/tap.ts';
import { fromGuest } from '../frames/cast.ts';
import { poll } from '../lab/index.ts';
import { castOf } from './agent-cast.ts';
import { attachmentOf } from './agent-process.ts';
import { FoundVm, makeTap } from './found-vm.ts';
import { apply } from './manifest.ts';
import { moveInto } from './own-namespace.ts';
import { PacedFlood, type Stream } from './paced-flood.ts';
import { PortCounter } from './port-counter.ts';
import { RentalLab } from './rental-lab.ts';

const { a, b, x } = RentalLab;
const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f4c77';
const MAC = '52:54:00:cc:00:77';
/** Frames a second, of each kind. */
const RATE = 250;
/** Of the frames that may pass and of those that may not, of each of the two VMs. */
const PORTS = { own: 41_001, ownForbidden: 41_002, found: 41_003, foundForbidden: 41_004 };

/** Frames of each kind that arrived where they may, and how many arrived anywhere else. */
export interface Arrived {
  readonly own: number;
  readonly found: number;
  readonly elsewhere: number;
}

/** Of frames that may pass of the own and the found VM, and how many others arrived. */
export interface LostAndLeaked {
  readonly lost: readonly [number, number];
  readonly leaked: number;
}

/**
 * Two VMs of one host in the midst of traffic: `NAME-own` on a tap of ours, whose endpoint is `a`, and `NAME-found`, a QEMU on a tap
 * that others made, whose endpoint is `b`.
 */
export class OwnAndFound {
  readonly #rental: RentalLab;
  readonly #name: string;
  readonly #tap: string;
  readonly #guest: FoundVm;
  #ownFd: number | null = null;
  #streams: readonly Stream[] = [];
  #counters: readonly PortCounter[] = [];

  private constructor(rental: RentalLab, name: string, tap: string, guest: FoundVm) {
    this.#rental = rental;
    this.#name = name;
    this.#tap = tap;
    this.#guest = guest;
  }

  /** Both are declared, and the one of others runs. */
  static async open(rental: RentalLab, name: string, tap: string): Promise<OwnAndFound> {
    await makeTap(rental.host, tap);
    const guest = FoundVm.start(rental.host, `${name}-found`, [{ tap, mac: MAC }], ['-uuid', UUID]);
    apply(rental.home, { name: `${name}-own`, endpoint: a });
    apply(rental.home, { name: `${name}-found`, endpoint: b });
    return new OwnAndFound(rental, name, tap, guest);
  }

  /** Once both are enforced: what they send, and who counts it. */
  async plug(status: AgentStatus): Promise<void> {
    const cast = castOf(status, `${this.#name}-own`, a);
    const ownFd = this.onHost(() => openTap(cast.tap));
    this.#ownFd = ownFd;
    const address = this.both(status)[1]?.guestAddress ?? '';
    const own = (to: typeof a, sourcePort: number): Uint8Array =>
      fromGuest(cast, { ip: { destination: to.address }, udp: { destinationPort: to.port, sourcePort } });
    const found = (to: typeof a, port: number): Uint8Array => this.#guest.datagram(address, to, port);
    const foundFd = this.#guest.fd();
    this.#streams = [
      { fd: ownFd, frames: [own(a, PORTS.own)], rate: RATE },
      { fd: foundFd, frames: [found(b, PORTS.found)], rate: RATE },
      { fd: ownFd, frames: [own(x, PORTS.ownForbidden), own(b, PORTS.ownForbidden)], rate: RATE },
      { fd: foundFd, frames: [x, a].map((to) => found(to, PORTS.foundForbidden)), rate: RATE },
    ];
    const ends = [this.#rental.consumerA, this.#rental.consumerB, this.#rental.internet];
    this.#counters = await Promise.all(ends.map((end) => PortCounter.place(end, 'eth0', PORTS)));
  }

  async close(): Promise<void> {
    await this.#guest.kill();
    if (this.#ownFd !== null) closeSync(this.#ownFd);
  }

  both(status: AgentStatus): (AttachmentStatus | undefined)[] {
    const found = status.attachments.find(({ tap }) => tap === this.#tap);
    return [attachmentOf(status, `${this.#name}-own`), found];
  }

  onHost<T>(work: () => T): T {
    const leave = moveInto(this.#rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  }

  async arrived(): Promise<Arrived> {
    const [atA, atB, atX] = await Promise.all(this.#counters.map((one) => one.seen()));
    const packets = (seen: typeof atA, kind: string): number => seen?.[kind]?.packets ?? 0;
    const all = packets(atA, 'all') + packets(atB, 'all') + packets(atX, 'all');
    const [own, found] = [packets(atA, 'own'), packets(atB, 'found')];
    return { own, found, elsewhere: all - own - found };
  }

  /** Both send all the while. */
  async during(work: () => Promise<void>): Promise<LostAndLeaked> {
    const start = await this.arrived();
    const flood = await PacedFlood.start(this.#streams);
    const written = (stream: number): number => flood.written(stream);
    try {
      await poll('some traffic', () => this.#streams.every((_, stream) => written(stream) > 50));
      await work();
      const sofar = written(0);
      await poll('more traffic', () => written(0) > sofar + 50);
    } finally {
      await flood.stop();
    }
    const due = { own: start.own + written(0), found: start.found + written(1) };
    const isThere = async (): Promise<boolean> => {
      const now = await this.arrived();
      return now.own >= due.own && now.found >= due.found;
    };
    await poll('the last of it', isThere, { deadlineMs: 3000 }).catch(() => null);
    const end = await this.arrived();
    return { lost: [due.own - end.own, due.found - end.found], leaked: end.elsewhere - start.elsewhere };
  }
}
