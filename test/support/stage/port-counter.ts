import type { Namespace } from '../lab/index.ts';

export interface Counted {
  packets: number;
  /** Of the IPv4 packet, header included. */
  bytes: number;
}

/**
 * Counts UDP datagrams in the kernel where they arrive, by source port: each kind of frame of a test is sent from a port of its
 * own. Misses nothing when the machine is busy.
 */
export class PortCounter {
  readonly #space: Namespace;

  private constructor(space: Namespace) {
    this.#space = space;
  }

  /** `ports`: name of a kind to its source port. For a device whose packets were translated, count by `dport` instead. */
  static async place(
    space: Namespace,
    device: string,
    ports: Readonly<Record<string, number>>,
    by: 'sport' | 'dport' = 'sport',
  ): Promise<PortCounter> {
    const hook = `type filter hook ingress device "${device}" priority 0`;
    const rules = Object.entries(ports).map(
      ([name, port]) => `udp ${by} ${String(port)} counter comment "${name}"`,
    );
    const chain = ['meta l4proto udp counter comment "all"', ...rules].join('\n');
    await space.run(['nft', '-f', '-'], {
      input: `table netdev ports { chain seen { ${hook}\n${chain}\n}\n}\n`,
    });
    return new PortCounter(space);
  }

  /** So far, by name of the kind, and `all`. */
  async seen(): Promise<Readonly<Record<string, Counted>>> {
    const listed = await this.#space.run(['nft', '-j', 'list', 'chain', 'netdev', 'ports', 'seen']);
    const { nftables } = JSON.parse(listed) as {
      nftables: { rule?: { comment: string; expr: { counter?: Counted }[] } }[];
    };
    const rules = nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule]));
    const none = { packets: 0, bytes: 0 };
    return Object.fromEntries(
      rules.map(({ comment, expr }) => [comment, expr.flatMap(({ counter }) => counter ?? [])[0] ?? none]),
    );
  }
}
