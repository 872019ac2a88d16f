import type { Namespace } from '../lab/index.ts';

/**
 * Counts what enters the host from an interface after the tcx programs: the netdev ingress hook of nftables comes
 * right behind them and sees every protocol. A second opinion that shares nothing with the filter.
 */
export class Witness {
  readonly #namespace: Namespace;
  readonly #table: string;

  private constructor(namespace: Namespace, table: string) {
    this.#namespace = namespace;
    this.#table = table;
  }

  static async place(namespace: Namespace, device: string): Promise<Witness> {
    const table = `witness_${device.replaceAll(/\W/g, '_')}`;
    const hook = `type filter hook ingress device "${device}" priority 0;`;
    const rules = `table netdev ${table} { chain passed { ${hook}\n counter\n }\n }`;
    await namespace.run(['nft', '-f', '-'], { input: `${rules}\n` });
    return new Witness(namespace, table);
  }

  /** Frames that passed since the witness was placed. */
  async passed(): Promise<number> {
    const text = await this.#namespace.run(['nft', '-j', 'list', 'chain', 'netdev', this.#table, 'passed']);
    const packets = /"counter": \{"packets": (\d+)/.exec(text)?.[1];
    if (packets === undefined) throw new Error(`no counter in ${text}`);
    return Number(packets);
  }

  async remove(): Promise<void> {
    await this.#namespace.run(['nft', 'delete', 'table', 'netdev', this.#table]);
  }
}
