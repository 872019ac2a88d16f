import {
  arp,
  ArpOperation,
  ethernet,
  EtherType,
  icmpv6,
  Icmpv6Type,
  ipv4,
  ipv6,
  NextHeader,
  Protocol,
  udp,
  WireGuard,
  wireGuardShape,
  ZERO_MAC,
} from '../../test/support/frames/index.ts';
import { ensureProbe } from '../../test/support/guest/index.ts';
import type { Namespace } from '../../test/support/lab/index.ts';
import type { Attacker } from './attempt.ts';
import { PLACES } from './places.ts';
import type { World } from './world.ts';

/** The port of the guest's last handshake, on its own side and, after masquerade, on the host's. */
export const FLOW_PORT = 51820;

/** Somebody outside tries to send something to the VM (SB-10). The VM's network card is the far end. */
export interface InboundAttempt {
  title: string;
  send(world: World, tap: string): Promise<void>;
  /** Counted by the filter on its way into the tap; empty when the host drops it before. */
  drops: Readonly<Record<string, number>>;
  /** What drops it instead of the filter. */
  by: string;
  /** Whether it reaches the guest when nothing guards it; the control run proves that. */
  reachesUnguarded: boolean;
}

const HANDSHAKE = wireGuardShape(WireGuard.initiation.type, WireGuard.initiation.bytes);

export function inboundAttempts(vm: Attacker): InboundAttempt[] {
  const guard = 'guard (nftables)';
  const stack = (
    title: string,
    from: (world: World) => Namespace,
    to: string,
    port: number,
    reachesUnguarded: boolean,
  ): InboundAttempt => ({
    title,
    send: async (world) => {
      const words = ['udp', to, String(port), Buffer.from(HANDSHAKE).toString('hex')];
      const { code, stderr } = await from(world).exec([await ensureProbe(), ...words]);
      if (code > 1) throw new Error(`${title}: could not be tried: ${stderr}`); // 1: refused at once, as a drop may be
    },
    drops: {},
    by: to === vm.address ? guard : 'no such flow',
    reachesUnguarded,
  });
  return [
    stack('the internet to the VM itself', (world) => world.internet, vm.address, FLOW_PORT, true),
    stack('the LAN neighbour to the VM itself', (world) => world.lan, vm.address, FLOW_PORT, true),
    stack('the host to the VM itself', (world) => world.host, vm.address, FLOW_PORT, true),
    stack(
      "the internet to the VM's port on the host",
      (world) => world.internet,
      PLACES.host,
      FLOW_PORT,
      false,
    ),
    stack(
      "the consumer, from another port, to the VM's port on the host",
      (world) => world.consumer,
      PLACES.host,
      FLOW_PORT,
      false,
    ),
    ...written(vm),
  ];
}

/** Frames that a process on the host writes to the tap itself, past routing and firewall. */
function written(vm: Attacker): InboundAttempt[] {
  const link = { destination: vm.mac, source: vm.gatewayMac };
  const datagram = (source: string, sourcePort: number, payload: Uint8Array = HANDSHAKE): Uint8Array => {
    const inner = udp({ sourcePort, destinationPort: FLOW_PORT, payload });
    const packet = ipv4({ source, destination: vm.address, protocol: Protocol.udp, payload: inner });
    return ethernet({ ...link, etherType: EtherType.ipv4, payload: packet });
  };
  const question = arp({
    operation: ArpOperation.request,
    senderMac: vm.gatewayMac,
    senderAddress: vm.gatewayAddress,
    targetMac: ZERO_MAC,
    targetAddress: vm.address,
  });
  const between = { source: 'fe80::1', destination: 'fe80::2' };
  const router = icmpv6(
    Icmpv6Type.routerAdvertisement,
    Uint8Array.of(64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0),
    between,
  );
  const advertisement = ipv6({ ...between, nextHeader: NextHeader.icmpv6, payload: router });
  const { address, port } = vm.endpoint;
  return [
    frame('a stranger, written to the tap', datagram(PLACES.internet, port), 'SourceAddress'),
    frame(
      "the endpoint's address, wrong port, written to the tap",
      datagram(address, port + 1),
      'SourcePort',
    ),
    frame(
      'no WireGuard from the endpoint, written to the tap',
      datagram(address, port, Buffer.from('hello')),
      'NotWireGuard',
    ),
    frame(
      "the host's ARP question",
      ethernet({ ...link, etherType: EtherType.arp, payload: question }),
      'ArpFromHost',
    ),
    frame(
      'an IPv6 router advertisement, written to the tap',
      ethernet({ ...link, etherType: EtherType.ipv6, payload: advertisement }),
      'Ipv6',
    ),
  ];
}

function frame(title: string, bytes: Uint8Array, reason: string): InboundAttempt {
  return {
    title,
    send: (world, tap) => world.host.sendFrames(tap, [bytes]),
    drops: { [reason]: 1 },
    by: reason,
    reachesUnguarded: true,
  };
}
