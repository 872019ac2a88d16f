import { summariseFrame } from '../../../packet/summary/frame-summary.ts';
import type { FrameView } from '../../../packet/summary/frame-view.ts';
import { field, type FieldOf, hex16, type JudgedByPolicy } from './field.ts';

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;

export const LINK_FIELDS = {
  FrameTooShort: ({ view }) =>
    view.frameBytes < ETHERNET_BYTES
      ? field('frame.length', view.frameBytes, `at least ${ETHERNET_BYTES}`)
      : field('frame.length', view.frameBytes, `at least ${ETHERNET_BYTES + IPV4_BYTES}`),
  SourceMac: (judged) => field('ethernet.source', judged.view.mac(6), ends(judged).from),
  DestinationMac: (judged) => field('ethernet.destination', judged.view.mac(0), ends(judged).to),
  GroupMac: (judged) => field('ethernet.destination', judged.view.mac(0), ends(judged).to),
  Vlan: ({ view }) => field('ethernet.etherType', `${hex16(view.u16(12))} (${tagName(view)})`, 'no tag'),
  EtherType: ({ view }) => field('ethernet.etherType', hex16(view.u16(12)), '0x0800 or 0x0806'),
  Ipv6: ({ view }) => field('ethernet.etherType', `${hex16(view.u16(12))} (IPv6)`, '0x0800 (IPv4)'),
} satisfies Record<string, FieldOf>;

function ends({ direction, policy }: JudgedByPolicy): { from: string; to: string } {
  const { guestMac, gatewayMac } = policy;
  return direction === 'from-vm' ? { from: guestMac, to: gatewayMac } : { from: gatewayMac, to: guestMac };
}

/** `VLAN 5`: the first part of what a summary says. */
function tagName(view: FrameView): string {
  return summariseFrame(view.bytes, view.frameBytes).split(',')[0] ?? 'VLAN';
}
