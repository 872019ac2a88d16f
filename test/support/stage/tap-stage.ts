import { closeSync } from 'node:fs';
import { ensureBpffs } from '../../../src/native/bpffs.ts';
import { attachFilter, writePolicy, type ReadBack } from '../../../src/native/filter-engine.ts';
import { createTap, persistTap } from '../../../src/native/tap.ts';
import { setLink } from '../../../src/native/rtnetlink.ts';
import { CAST, policyOf, type PolicyKind } from '../frames/cast.ts';
import { capture, Lab, type Capture, type Namespace } from '../lab/index.ts';
import { moveInto } from './own-namespace.ts';
import { VirtualCard } from './virtual-card.ts';

/**
 * One filtered tap in a namespace that forwards whatever the filter lets through, and a far end that every route
 * leads to: no agent, no nftables, nothing between a mistake of the filter and the capture.
 */
export class TapStage {
  static readonly tap = 'vmn-stage';
  readonly lab: Lab;
  readonly host: Namespace;
  readonly far: Namespace;
  readonly farEnd: Capture;
  readonly bpffs: string;
  readonly pinDir: string;
  readonly ifindex: number;
  readonly attached: ReadBack;
  readonly card: VirtualCard;
  readonly #leave: () => void;
  #policy: PolicyKind = 'none';

  private constructor(parts: StageParts) {
    this.lab = parts.lab;
    this.host = parts.host;
    this.far = parts.far;
    this.farEnd = parts.farEnd;
    this.bpffs = parts.bpffs;
    this.#leave = parts.leave;
    this.pinDir = `${this.bpffs}/${TapStage.tap}`;
    const { fd, ifindex } = createTap(TapStage.tap);
    this.ifindex = ifindex;
    setLink(ifindex, { mac: CAST.gatewayMac });
    this.attached = attachFilter(this.pinDir, ifindex);
    persistTap(fd);
    closeSync(fd);
    this.card = new VirtualCard(TapStage.tap);
    setLink(ifindex, { up: true });
  }

  static async open(name: string): Promise<TapStage> {
    const lab = await Lab.create(name);
    try {
      const host = await lab.namespace('host');
      const far = await lab.namespace('far');
      await lab.connect(host, far, {
        nameA: 'uplink',
        nameB: 'wire',
        addressA: '192.0.2.1/24',
        addressB: '192.0.2.2/24',
      });
      await host.sysctl('net.ipv4.ip_forward', 1);
      await host.run(['ip', 'route', 'add', 'default', 'via', '192.0.2.2']);
      // The far end listens and never answers, or its answers would be counted too.
      await far.run(['ip', 'route', 'add', 'blackhole', '100.64.0.0/10']);
      const farEnd = await capture(far, 'wire', 'not arp');
      const bpffs = `/sys/fs/bpf/vmnet-t-${String(process.pid)}-${name}`;
      lab.undoLater(`rm -rf ${bpffs}`);
      ensureBpffs(bpffs);
      const leave = moveInto(host);
      try {
        const stage = new TapStage({ lab, host, far, farEnd, bpffs, leave });
        await host.run(['ip', 'route', 'add', CAST.guestAddress, 'dev', TapStage.tap]);
        await host.run([
          'ip',
          'neigh',
          'add',
          CAST.guestAddress,
          'lladdr',
          CAST.guestMac,
          'dev',
          TapStage.tap,
        ]);
        return stage;
      } catch (error) {
        leave();
        throw error;
      }
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Puts a kind of policy in force, unless it already is. */
  use(policy: PolicyKind): void {
    if (policy === this.#policy) return;
    writePolicy(this.pinDir, policyOf(policy, CAST, process.hrtime.bigint()));
    this.#policy = policy;
  }

  async close(): Promise<void> {
    this.card.close();
    this.#leave();
    await this.lab.close();
  }
}

interface StageParts {
  lab: Lab;
  host: Namespace;
  far: Namespace;
  farEnd: Capture;
  bpffs: string;
  leave: () => void;
}
