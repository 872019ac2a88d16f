import { concat, pattern, u16, u8 } from '../bytes.ts';
import { EtherType, tagged } from '../ethernet.ts';
import type { FrameCase } from './frame-case.ts';
import type { Sender } from './ipv4-damage.ts';

/** Frames that are not IPv4, ARP or IPv6, and tags around frames that would pass. */
export function linkKinds(send: Sender): FrameCase[] {
  const tags: FrameCase[] = [
    { name: '802.1Q tag', frame: tagged(send(), { vlan: 100 }) },
    { name: '802.1Q priority tag, VLAN 0', frame: tagged(send(), { vlan: 0, priority: 5 }) },
    { name: '802.1ad tag', frame: tagged(send(), { tpid: EtherType.serviceVlan, vlan: 100 }) },
    { name: 'QinQ', frame: tagged(send(), { tpid: EtherType.serviceVlan, vlan: 10 }, { vlan: 20 }) },
    { name: 'two 802.1Q tags', frame: tagged(send(), { vlan: 10 }, { vlan: 20 }) },
  ].map((item) => ({ ...item, ids: ['SB-4', 'EF-5'], reason: 'VLAN' }));
  const old: FrameCase = {
    name: 'QinQ of the old EtherType 0x9100',
    ids: ['SB-4'],
    frame: tagged(send(), { tpid: EtherType.oldQinQ, vlan: 10 }),
    reason: ['VLAN', 'ETHERTYPE'], // the specification names 802.1Q and 802.1ad only
  };
  const other = (name: string, etherType: number, payload: Uint8Array): FrameCase => ({
    name,
    ids: ['SB-4', 'EF-5'],
    frame: send({ ethernet: { etherType, payload } }),
    reason: 'ETHERTYPE',
  });
  const packet = send().subarray(14);
  return [
    ...tags,
    old,
    other('LLDP', EtherType.lldp, concat(u16(0x0207), u8(4), pattern(6), u16(0))),
    other(
      'MPLS around a packet that would pass',
      EtherType.mpls,
      concat(Uint8Array.of(0, 1, 0x01, 64), packet),
    ),
    other(
      'PPPoE discovery',
      EtherType.pppoeDiscovery,
      concat(Uint8Array.of(0x11, 9, 0, 0, 0, 0), pattern(4)),
    ),
    other('EAPOL start', EtherType.eapol, Uint8Array.of(2, 1, 0, 0)),
    other('Wake-on-LAN', EtherType.wakeOnLan, new Uint8Array(102).fill(0xff)),
    other('experimental EtherType', EtherType.localExperimental, pattern(46)),
    other('EtherType 0x0801, one more than IPv4', 0x0801, packet),
    other('EtherType 0x0008, IPv4 byte-swapped', 0x0008, packet),
    other('EtherType 0xffff', 0xffff, packet),
    other('EtherType 0x0600, the least there is', 0x0600, packet),
    other('802.3 length 0', 0, packet),
    other(
      '802.3 length with LLC (spanning tree)',
      38,
      concat(Uint8Array.of(0x42, 0x42, 3), new Uint8Array(35)),
    ),
    other(
      '802.3 length with SNAP around IPv4',
      8 + packet.length,
      concat(Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0, 8, 0), packet),
    ),
    other('802.3 raw (Novell)', 30, new Uint8Array(30).fill(0xff)),
    other('802.3 length 1500', 1500, pattern(1500)),
    other('unknown EtherType and nothing else', 0x1234, new Uint8Array()),
  ];
}
