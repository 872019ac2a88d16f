import type { Attacker, Attempt } from '../../../demo/scenario/attempt.ts';
import { raw } from '../../../demo/scenario/guest-script.ts';
import type { InboundAttempt } from '../../../demo/scenario/inbound.ts';
import {
  arp,
  ArpOperation,
  BROADCAST_MAC,
  ethernet,
  EtherType,
  ipv4,
  Protocol,
  udp,
  WireGuard,
  wireGuardShape,
  ZERO_MAC,
} from '../frames/index.ts';
import type { Namespace } from '../lab/index.ts';

/** Who else is on the bridge. */
export interface Mate {
  title: string;
  mac: string;
  address: string;
}

const HANDSHAKE = wireGuardShape(WireGuard.initiation.type, WireGuard.initiation.bytes);

/** What a bridge would carry to its other ports, past the host's routing. */
export function acrossTheBridge(attacker: Attacker, mates: readonly Mate[]): Attempt[] {
  const { mac, address, endpoint } = attacker;
  const attempt = (title: string, frame: Uint8Array, reason: string): Attempt => ({
    ...{ group: 'The bridge', title, script: raw([frame]), drops: { [reason]: 1 }, repeats: false },
    reaches: 'neighbour on the bridge',
  });
  const datagram = (to: Mate, destination: string): Uint8Array => {
    const inner = udp({ sourcePort: 51820, destinationPort: endpoint.port, payload: HANDSHAKE });
    const addresses = { source: address, destination: to.address };
    const payload = ipv4({ ...addresses, protocol: Protocol.udp, payload: inner });
    return ethernet({ destination, source: mac, etherType: EtherType.ipv4, payload });
  };
  const question = ({ address: targetAddress }: Mate): Uint8Array => {
    const names = { senderMac: mac, senderAddress: address, targetMac: ZERO_MAC, targetAddress };
    const payload = arp({ operation: ArpOperation.request, ...names });
    return ethernet({ destination: BROADCAST_MAC, source: mac, etherType: EtherType.arp, payload });
  };
  return mates.flatMap((mate) => [
    attempt(`${mate.title}, by its MAC`, datagram(mate, mate.mac), 'DestinationMac'),
    attempt(`${mate.title}, by broadcast`, datagram(mate, BROADCAST_MAC), 'GroupMac'),
    attempt(`ARP: "who has ${mate.title}?"`, question(mate), 'ArpNotGateway'),
  ]);
}

/** What a neighbour on the bridge sends to the VM, and to everybody. */
export function fromTheBridge(attacker: Attacker, neighbour: Namespace): InboundAttempt[] {
  const attempt = (title: string, destination: string): InboundAttempt => ({
    title,
    send: () =>
      neighbour.sendFrames('eth0', [
        ethernet({
          ...{ destination, source: '52:54:00:e2:e4:fe', etherType: EtherType.ipv4 },
          payload: ipv4({
            ...{ source: '192.168.78.1', destination: attacker.address, protocol: Protocol.udp },
            payload: udp({ sourcePort: attacker.endpoint.port, destinationPort: 51820, payload: HANDSHAKE }),
          }),
        }),
      ]),
    ...{ drops: {}, by: 'guard (nftables)', reachesUnguarded: true },
  });
  return [
    attempt('a neighbour on the bridge, to its MAC', attacker.mac),
    attempt('a neighbour on the bridge, to everybody', BROADCAST_MAC),
  ];
}
