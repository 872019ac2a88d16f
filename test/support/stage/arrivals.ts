import type { Namespace } from '../lab/index.ts';
import { STAMP_OFFSETS } from './stamp.ts';

/** Bytes of a UDP header. */
const UDP_HEADER = 8;

/**
 * Counts in the kernel what arrives at a far end: every IPv4 frame, and the stamped datagrams of single VMs. Unlike a
 * capture it cannot miss a frame when the machine is busy; unlike a capture it does not know when a frame was sent.
 */
export class Arrivals {
  readonly #space: Namespace;

  private constructor(space: Namespace) {
    this.#space = space;
  }

  static async count(space: Namespace, device: string, vms: readonly string[]): Promise<Arrivals> {
    const rules = vms.map((vm) => {
      const name = Buffer.from(vm.padEnd(STAMP_OFFSETS.vmBytes), 'latin1').toString('hex');
      const bit = (UDP_HEADER + STAMP_OFFSETS.vm) * 8;
      return `meta l4proto udp @th,${String(bit)},${String(STAMP_OFFSETS.vmBytes * 8)} 0x${name} counter comment "${vm}"`;
    });
    const hook = `type filter hook ingress device "${device}" priority 0`;
    const chain = ['meta protocol ip counter comment "all"', ...rules].join('\n');
    await space.run(['nft', '-f', '-'], {
      input: `table netdev arrivals { chain seen { ${hook}\n${chain}\n}\n}\n`,
    });
    return new Arrivals(space);
  }

  /** Frames so far, by VM, and `all`. */
  async seen(): Promise<ReadonlyMap<string, number>> {
    const listing = JSON.parse(
      await this.#space.run(['nft', '-j', 'list', 'chain', 'netdev', 'arrivals', 'seen']),
    ) as {
      nftables: { rule?: { comment: string; expr: Counted[] } }[];
    };
    const rules = listing.nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule]));
    const packets = (expr: Counted[]): number =>
      expr.find(({ counter }) => counter !== undefined)?.counter?.packets ?? 0;
    return new Map(rules.map(({ comment, expr }) => [comment, packets(expr)]));
  }
}

interface Counted {
  counter?: { packets: number };
}
