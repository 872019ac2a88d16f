import { closeSync, writeSync } from 'node:fs';
import { ensureBpffs, removePins, removeRootIfEmpty } from '../../../src/native/bpffs.ts';
import { linkByName, setLink } from '../../../src/native/rtnetlink.ts';
import { createTap } from '../../../src/native/tap.ts';
import { CAST } from '../frames/cast.ts';
import { Lab, type Namespace } from '../lab/index.ts';
import { moveInto } from '../stage/own-namespace.ts';

/**
 * A namespace with one tap whose descriptor this process holds, and a root for pins. No filter yet. What gets past a
 * filter is counted by nftables, by its destination address: nothing else stands between.
 */
export class HeldTap {
  readonly lab: Lab;
  readonly host: Namespace;
  readonly root: string;
  readonly name: string;
  readonly fd: number;
  readonly ifindex: number;
  readonly #leave: () => void;

  private constructor(lab: Lab, host: Namespace, root: string) {
    this.lab = lab;
    this.host = host;
    this.root = root;
    this.#leave = moveInto(host);
    this.name = 'vmn-held';
    const { fd, ifindex } = createTap(this.name);
    this.fd = fd;
    this.ifindex = ifindex;
    setLink(ifindex, { mac: CAST.gatewayMac, up: true });
  }

  static async open(name: string): Promise<HeldTap> {
    const lab = await Lab.create(name);
    try {
      const host = await lab.namespace('host');
      const root = `/sys/fs/bpf/vmnet-n-${String(process.pid)}-${name}`;
      lab.undoLater(`rm -rf ${root}`);
      ensureBpffs(root);
      await host.run(['nft', '-f', '-'], { input: COUNT_PASSED });
      return new HeldTap(lab, host, root);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  get pinDir(): string {
    return `${this.root}/${this.name}`;
  }

  /** One frame, as the guest would send it. The host has judged it when this returns. */
  send(frame: Uint8Array): void {
    writeSync(this.fd, frame);
  }

  /** Packets that got past the filter to this address so far. */
  async passed(address: string): Promise<number> {
    const listed = await this.host.run(['nft', '-j', 'list', 'set', 'ip', 'passed', 'seen']);
    const { nftables } = JSON.parse(listed) as { nftables: { set?: { elem?: PassedElement[] } }[] };
    const elements = nftables.flatMap(({ set }) => set?.elem ?? []);
    return elements.find(({ elem }) => elem.val === address)?.elem.counter.packets ?? 0;
  }

  async close(): Promise<void> {
    if (linkByName(this.name)?.ifindex === this.ifindex) closeSync(this.fd);
    removePins(this.pinDir);
    removeRootIfEmpty(this.root);
    this.#leave();
    await this.lab.close();
  }
}

interface PassedElement {
  elem: { val: string; counter: { packets: number } };
}

/** Before the guard of an agent that some other test runs meanwhile: that finds this namespace, too. */
const COUNT_PASSED = `
table ip passed {
  set seen {
    type ipv4_addr
    flags dynamic
    counter
  }
  chain arrived {
    type filter hook prerouting priority raw - 50; policy accept;
    iifname "vmn-*" update @seen { ip daddr }
  }
}
`;
