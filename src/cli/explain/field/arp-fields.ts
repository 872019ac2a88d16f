import { type DecidingField, field, type FieldOf, hex16, type JudgedByPolicy } from './field.ts';

const ARP_FRAME_BYTES = 42;
const REQUEST = '1 (request)';
const REPLY = '2 (reply)';

const OPERATIONS: Readonly<Record<number, string>> = { 1: REQUEST, 2: REPLY };

/** Where the fields of Ethernet/IPv4 ARP stand in a frame without tags (RFC 826). */
const AT = {
  hardware: 14,
  protocol: 16,
  lengths: 18,
  operation: 20,
  senderMac: 22,
  senderAddress: 28,
  targetMac: 32,
  targetAddress: 38,
} as const;

export const ARP_FIELDS = {
  ArpAnswered: ({ view, direction }) =>
    direction === 'from-vm'
      ? field('arp.targetAddress', view.ipv4(AT.targetAddress))
      : field('arp.senderAddress', view.ipv4(AT.senderAddress)),
  ArpMalformed: (judged) => malformed(judged) ?? field('arp', 'malformed', 'well-formed'),
  ArpSpoofed: ({ view, policy }) =>
    differing('arp.senderMac', view.mac(AT.senderMac), policy.guestMac) ??
    field('arp.senderAddress', view.ipv4(AT.senderAddress), policy.guestAddress),
  ArpNotGateway: ({ view, policy }) =>
    differing('arp.operation', operation(view.u16(AT.operation)), REQUEST) ??
    differing('arp.targetAddress', view.ipv4(AT.targetAddress), policy.gatewayAddress) ??
    field('arp.senderAddress', view.ipv4(AT.senderAddress), policy.guestAddress), // a probe
  ArpFromHost: (judged) => notOurAnswer(judged) ?? field('arp', 'not our answer', 'our answer'),
} satisfies Record<string, FieldOf>;

function malformed({ view }: JudgedByPolicy): DecidingField | null {
  if (view.frameBytes < ARP_FRAME_BYTES)
    return field('frame.length', view.frameBytes, `at least ${ARP_FRAME_BYTES}`);
  return (
    differing('arp.hardwareType', view.u16(AT.hardware), 1) ??
    differing('arp.protocolType', hex16(view.u16(AT.protocol)), '0x0800') ??
    differing('arp.addressLengths', `${view.u8(AT.lengths)}, ${view.u8(AT.lengths + 1)}`, '6, 4') ??
    (OPERATIONS[view.u16(AT.operation)] === undefined
      ? field('arp.operation', view.u16(AT.operation), '1 or 2')
      : null)
  );
}

/** The first field in which a frame towards the guest is not the filter's own answer. */
function notOurAnswer(judged: JudgedByPolicy): DecidingField | null {
  const { view, policy } = judged;
  return (
    differing('ethernet.destination', view.mac(0), policy.guestMac) ??
    malformed(judged) ??
    differing('arp.operation', operation(view.u16(AT.operation)), REPLY) ??
    differing('arp.senderMac', view.mac(AT.senderMac), policy.gatewayMac) ??
    differing('arp.senderAddress', view.ipv4(AT.senderAddress), policy.gatewayAddress) ??
    differing('arp.targetMac', view.mac(AT.targetMac), policy.guestMac) ??
    differing('arp.targetAddress', view.ipv4(AT.targetAddress), policy.guestAddress) ??
    differing('frame.length', view.frameBytes, ARP_FRAME_BYTES)
  );
}

function operation(number: number): string {
  return OPERATIONS[number] ?? String(number);
}

function differing(name: string, found: string | number, wanted: string | number): DecidingField | null {
  return found === wanted ? null : field(name, found, wanted);
}
