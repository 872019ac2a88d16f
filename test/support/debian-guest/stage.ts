import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { GATEWAY_ADDRESS, GATEWAY_MAC } from '../../../src/agent/wiring/identity.ts';
import { ensureBpffs } from '../../../src/native/bpffs.ts';
import { attachFilter, writePolicy } from '../../../src/native/filter-engine.ts';
import { setLink } from '../../../src/native/rtnetlink.ts';
import { createTap, persistTap } from '../../../src/native/tap.ts';
import { policyBytes } from '../frames/policy-bytes.ts';
import type { Lab, Namespace } from '../lab/index.ts';
import { moveInto } from '../stage/own-namespace.ts';
import { ConsumerTunnel } from './consumer-tunnel.ts';

export const ENDPOINT = { address: '203.0.113.10', port: 51900 };
export const GATEWAY = GATEWAY_ADDRESS;

/** A VM as its host sees it. */
export interface Card {
  readonly tap: string;
  readonly mac: string;
  readonly address: string;
}

/**
 * A host with filtered taps, and next to it the consumer with a real WireGuard. No agent: a filter that was attached before the first
 * frame and the guest's own documents are all there is.
 */
export class DebianStage {
  readonly host: Namespace;
  readonly consumer: Namespace;
  readonly tunnel: ConsumerTunnel;
  readonly #bpffs: string;

  private constructor(lab: Lab, host: Namespace, consumer: Namespace, tunnel: ConsumerTunnel) {
    this.host = host;
    this.consumer = consumer;
    this.tunnel = tunnel;
    this.#bpffs = `/sys/fs/bpf/vmnet-t-${process.pid}-debian`;
    lab.undoLater(`rm -rf ${this.#bpffs}`);
    ensureBpffs(this.#bpffs);
  }

  static async open(lab: Lab): Promise<DebianStage> {
    const [host, consumer] = [await lab.namespace('host'), await lab.namespace('consumer')];
    const ends = { addressA: '203.0.113.1/24', addressB: `${ENDPOINT.address}/24` };
    await lab.connect(host, consumer, { nameA: 'uplink', nameB: 'eth0', ...ends });
    await host.sysctl('net.ipv4.ip_forward', 1);
    await consumer.run(['ip', 'route', 'add', 'default', 'via', '203.0.113.1']);
    return new DebianStage(lab, host, consumer, await ConsumerTunnel.open(lab, consumer, ENDPOINT.port));
  }

  /** A tap that is held to the consumer's endpoint from its first frame on. */
  async plug({ tap, mac, address }: Card): Promise<void> {
    const pinDir = join(this.#bpffs, tap);
    const leave = moveInto(this.host);
    try {
      const { fd, ifindex } = createTap(tap);
      setLink(ifindex, { mac: GATEWAY_MAC });
      attachFilter(pinDir, ifindex);
      const gateway = { gatewayMac: GATEWAY_MAC, gatewayAddress: GATEWAY };
      const guest = { guestMac: mac, guestAddress: address };
      writePolicy(pinDir, policyBytes({ ...guest, ...gateway, endpoint: ENDPOINT, strict: true }));
      persistTap(fd);
      closeSync(fd);
      setLink(ifindex, { up: true });
    } finally {
      leave();
    }
    await this.host.run(['ip', 'route', 'add', `${address}/32`, 'dev', tap]);
    await this.host.run(['ip', 'neigh', 'add', address, 'lladdr', mac, 'dev', tap]);
  }

  /** Frames that the guest of a tap ever sent, whatever became of them. */
  async sentBy(tap: string): Promise<number> {
    const [link] = JSON.parse(await this.host.run(['ip', '-j', '-s', 'link', 'show', 'dev', tap])) as {
      stats64: { rx: { packets: number } };
    }[];
    return link?.stats64.rx.packets ?? 0;
  }
}
