import { castOf } from './agent-cast.ts';
import type { AgentProcess } from './agent-process.ts';
import type { RunningVm } from './cluster-lab.ts';
import { fromGuest } from '../frames/cast.ts';
import { poll } from '../lab/index.ts';
import { PacedFlood, type Stream } from './paced-flood.ts';
import { PortCounter } from './port-counter.ts';
import { RentalLab } from './rental-lab.ts';

/** How many datagrams reached each far end. */
export interface Reached {
  readonly a: number;
  readonly b: number;
  readonly x: number;
}

/** Frames a second, to the three far ends in turn. */
const RATE = 1500;
/** So many written frames are a look; those that were written before it have arrived by then. */
const LOOK = 450;

/** A guest that never stops sending to both consumers and to a stranger, and what arrives there, counted by the kernel. */
export class VmTraffic {
  readonly #stream: Stream;
  readonly #counters: Readonly<Record<keyof Reached, PortCounter>>;
  #flood: PacedFlood;

  private constructor(
    stream: Stream,
    flood: PacedFlood,
    counters: Readonly<Record<keyof Reached, PortCounter>>,
  ) {
    this.#stream = stream;
    this.#flood = flood;
    this.#counters = counters;
  }

  static async start(rental: RentalLab, vm: RunningVm, agent: AgentProcess): Promise<VmTraffic> {
    const status = await agent.until('the address of the guest', ({ attachments }) =>
      attachments.some((one) => one.vm === vm.name && one.guestAddress !== null),
    );
    const cast = castOf(status, vm.name, RentalLab.a);
    const frames = [RentalLab.a, RentalLab.b, RentalLab.x].map(({ address, port }, index) =>
      fromGuest(cast, {
        ip: { destination: address },
        udp: { destinationPort: port, sourcePort: 40_001 + index },
      }),
    );
    const counters = {
      a: await PortCounter.place(rental.consumerA, 'eth0', {}),
      b: await PortCounter.place(rental.consumerB, 'eth0', {}),
      x: await PortCounter.place(rental.internet, 'eth0', {}),
    };
    const stream = { fd: vm.fd, frames, rate: RATE };
    return new VmTraffic(stream, await PacedFlood.start([stream]), counters);
  }

  /** What arrives from now on, while some hundred frames are sent. */
  async look(): Promise<Reached> {
    await this.#sent(LOOK / 3);
    const before = await this.total();
    await this.#sent(LOOK);
    const after = await this.total();
    return { a: after.a - before.a, b: after.b - before.b, x: after.x - before.x };
  }

  /** What has arrived since it was started. */
  async total(): Promise<Reached> {
    const count = async (counter: PortCounter): Promise<number> =>
      (await counter.seen())['all']?.packets ?? 0;
    const { a, b, x } = this.#counters;
    return { a: await count(a), b: await count(b), x: await count(x) };
  }

  stop(): Promise<void> {
    return this.#flood.stop();
  }

  async resume(): Promise<void> {
    await this.stop();
    this.#flood = await PacedFlood.start([this.#stream]);
  }

  async #sent(count: number): Promise<void> {
    const until = this.#flood.written() + count;
    await poll(`${String(count)} more frames`, () => this.#flood.written() >= until, { deadlineMs: 30_000 });
  }
}
