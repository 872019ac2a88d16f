import { describe, expect, test } from '@jest/globals';
import { filterPolicyOf } from '../../../../src/cli/explain/engine/filter-policy.ts';
import { decidingField } from '../../../../src/cli/explain/field/deciding-field.ts';
import { REASONS } from '../../../../src/filter/drop-reason.ts';
import { type Direction, PLAIN } from '../../../../src/filter/filtering-strategy.ts';
import { strategyFor } from '../../../../src/filter/strategy.ts';
import { decodePolicy, type Policy } from '../../../../src/native/policy-abi.ts';
import { FrameView } from '../../../../src/packet/summary/frame-view.ts';
import { scenarios } from '../../../support/frames-generator/scenario.ts';
import { arp, ethernet, GATEWAY_MAC, GUEST_MAC, handshake, ipv4, udp, wireGuard } from '../frame-builder.ts';
import { policy } from './policy.ts';

const initiation = udp(wireGuard(1, 148));
const toVm = (payload: number[]): Uint8Array =>
  ethernet(payload, { source: GATEWAY_MAC, destination: GUEST_MAC });
const reply = { from: '203.0.113.10', to: '100.64.0.5' };

/** The reason, and the field as `name found / wanted`. */
function explained(
  frame: Uint8Array,
  direction: Direction = 'from-vm',
  by: Policy = policy(),
  nowNs = 0n,
): string {
  const inForce = filterPolicyOf(by);
  const { reason } = strategyFor(inForce).judge(direction, inForce, frame, { ...PLAIN, nowNs });
  const {
    decidingField: name,
    found,
    wanted,
  } = decidingField(reason, {
    direction,
    view: new FrameView(frame),
    policy: by,
  });
  return `${reason}: ${name} ${found}${wanted === null ? '' : ` / ${wanted}`}`;
}

/** A sound frame with one byte changed and nothing mended. */
function changed(frame: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[at] = value;
  return copy;
}

/** The expectation is the title; a frame as one is long. */
type Case = [expected: string, frame: Uint8Array];

function swapped(cases: readonly [Uint8Array, string][]): Case[] {
  return cases.map(([frame, expected]) => [expected, frame]);
}

describe('what decided, from the VM', () => {
  test.each<Case>(
    swapped([
      [handshake(), 'Allowed: endpoint 203.0.113.10:51900'],
      [Uint8Array.of(1, 2, 3), 'FrameTooShort: frame.length 3 / at least 14'],
      [ethernet([0x45]), 'FrameTooShort: frame.length 15 / at least 34'],
      [
        ethernet([], { source: '02:00:00:00:00:09' }),
        `SourceMac: ethernet.source 02:00:00:00:00:09 / ${GUEST_MAC}`,
      ],
      [
        ethernet([], { destination: '02:00:00:00:00:09' }),
        `DestinationMac: ethernet.destination 02:00:00:00:00:09 / ${GATEWAY_MAC}`,
      ],
      [
        ethernet([], { destination: '33:33:00:00:00:02' }),
        `GroupMac: ethernet.destination 33:33:00:00:00:02 / ${GATEWAY_MAC}`,
      ],
      [ethernet([0, 5, 8, 0], { etherType: 0x8100 }), 'Vlan: ethernet.etherType 0x8100 (VLAN 5) / no tag'],
      [ethernet([], { etherType: 0x88cc }), 'EtherType: ethernet.etherType 0x88cc / 0x0800 or 0x0806'],
      [ethernet([], { etherType: 0x86dd }), 'Ipv6: ethernet.etherType 0x86dd (IPv6) / 0x0800 (IPv4)'],
      [arp(), 'ArpAnswered: arp.targetAddress 169.254.1.1'],
      [arp().subarray(0, 41), 'ArpMalformed: frame.length 41 / at least 42'],
      [changed(arp(), 15, 6), 'ArpMalformed: arp.hardwareType 6 / 1'],
      [changed(arp(), 16, 0x86), 'ArpMalformed: arp.protocolType 0x8600 / 0x0800'],
      [changed(arp(), 19, 16), 'ArpMalformed: arp.addressLengths 6, 16 / 6, 4'],
      [arp({ operation: 3 }), 'ArpMalformed: arp.operation 3 / 1 or 2'],
      [arp({ senderMac: '02:00:00:00:00:09' }), `ArpSpoofed: arp.senderMac 02:00:00:00:00:09 / ${GUEST_MAC}`],
      [arp({ senderAddress: '100.64.0.6' }), 'ArpSpoofed: arp.senderAddress 100.64.0.6 / 100.64.0.5'],
      [arp({ operation: 2 }), 'ArpNotGateway: arp.operation 2 (reply) / 1 (request)'],
      [arp({ targetAddress: '100.64.0.9' }), 'ArpNotGateway: arp.targetAddress 100.64.0.9 / 169.254.1.1'],
      [ethernet(ipv4(initiation, { firstByte: 0x65 })), 'IpVersion: ipv4.version 6 / 4'],
      [ethernet(ipv4(initiation, { firstByte: 0x44 })), 'IpHeaderLength: ipv4.headerLength 16 / 20 to 176'],
      [ethernet(ipv4(initiation, { options: [1, 1, 1, 1] })), 'IpOptions: ipv4.headerLength 24 / 20'],
      [ethernet(ipv4(initiation, { totalLength: 9 })), 'IpTotalLength: ipv4.totalLength 9 / 20 to 176'],
      [ethernet(ipv4(initiation, { totalLength: 900 })), 'IpTotalLength: ipv4.totalLength 900 / 20 to 176'],
      [ethernet(ipv4(initiation, { fragment: 0x2000 })), 'IpFragment: ipv4.moreFragments set / not set'],
      [ethernet(ipv4(initiation, { fragment: 3 })), 'IpFragment: ipv4.fragmentOffset 24 / 0'],
      [ethernet(ipv4(initiation, { fragment: 0x8000 })), 'IpFragment: ipv4.reservedFlag set / not set'],
      [changed(handshake(), 24, 0), 'IpChecksum: ipv4.checksum 0x00ed / 0xd9ed'],
      [ethernet(ipv4(initiation, { ttl: 0 })), 'IpTtl: ipv4.ttl 0 / at least 1'],
      [
        ethernet(ipv4(udp(new Array<number>(1473).fill(0)))),
        'PacketTooBig: ipv4.totalLength 1501 / at most 1500',
      ],
      [handshake({ from: '100.64.0.6' }), 'SourceAddress: ipv4.source 100.64.0.6 / 100.64.0.5'],
      [handshake({ protocol: 6 }), 'Protocol: ipv4.protocol 6 (TCP) / 17 (UDP)'],
      [ethernet(ipv4([1, 2, 3])), 'UdpLength: ipv4.totalLength 23 / at least 28'],
      [ethernet(ipv4(udp([1], 41000, 51900, 9000))), 'UdpLength: udp.length 9000 / 9'],
      [handshake({ to: '8.8.8.8' }), 'DestinationAddress: ipv4.destination 8.8.8.8 / 203.0.113.10'],
      [handshake({ port: 53 }), 'DestinationPort: udp.destinationPort 53 / 51900'],
      [ethernet(ipv4(udp(wireGuard(1, 148), 0))), 'SourcePort: udp.sourcePort 0 / not 0'],
      [ethernet(ipv4(udp([1]))), 'NotWireGuard: wireguard.length 1 / at least 32'],
      [ethernet(ipv4(udp(wireGuard(5, 148)))), 'NotWireGuard: wireguard.type 5 / 1 to 4'],
      [ethernet(ipv4(udp([1, 2, 0, 0]))), 'NotWireGuard: wireguard.reserved 020000 / 000000'],
      [ethernet(ipv4(udp(wireGuard(2, 148)))), 'NotWireGuard: wireguard.length 148 / 92'],
      [
        ethernet(ipv4(udp(wireGuard(4, 33)))),
        'NotWireGuard: wireguard.length 33 / 32 or more, a multiple of 16 below 608',
      ],
    ]),
  )('%s', (expected, frame) => {
    expect(explained(frame)).toBe(expected);
  });
});

describe('what decided, to the VM', () => {
  const answer = (change: Parameters<typeof arp>[0] = {}): Uint8Array =>
    Uint8Array.from([
      ...toVm([]).subarray(0, 12),
      ...arp({ operation: 2, senderMac: GATEWAY_MAC, senderAddress: '169.254.1.1', ...change }).subarray(12),
    ]);

  test.each<Case>(
    swapped([
      [toVm(ipv4(udp(wireGuard(2, 92), 51900, 41000), reply)), 'Allowed: endpoint 203.0.113.10:51900'],
      [handshake(), `SourceMac: ethernet.source ${GUEST_MAC} / ${GATEWAY_MAC}`],
      [
        toVm(ipv4(udp([], 51900), { ...reply, from: '8.8.8.8' })),
        'SourceAddress: ipv4.source 8.8.8.8 / 203.0.113.10',
      ],
      [toVm(ipv4(udp([], 53), reply)), 'SourcePort: udp.sourcePort 53 / 51900'],
      [
        toVm(ipv4(udp([], 51900), { ...reply, to: '100.64.0.6' })),
        'DestinationAddress: ipv4.destination 100.64.0.6 / 100.64.0.5',
      ],
      [toVm(ipv4(udp([], 51900, 0), reply)), 'DestinationPort: udp.destinationPort 0 / not 0'],
      [answer({ operation: 1 }), 'ArpFromHost: arp.operation 1 (request) / 2 (reply)'],
      [answer({ senderAddress: '169.254.1.2' }), 'ArpFromHost: arp.senderAddress 169.254.1.2 / 169.254.1.1'],
      [answer(), `ArpFromHost: arp.targetMac 00:00:00:00:00:00 / ${GUEST_MAC}`],
    ]),
  )('%s', (expected, frame) => {
    expect(explained(frame, 'to-vm')).toBe(expected);
  });
});

test('what decided, in the policy', () => {
  const frame = handshake();
  const flags = { quarantined: true, strictWireGuard: true, audit: false };
  expect(explained(frame, 'from-vm', policy({ flags }))).toBe(
    'Quarantined: policy.desiredState Quarantined / Active',
  );
  const sampled = policy({ mode: 'Sampled', samplePerMillion: 0 });
  expect(explained(handshake({ to: '8.8.8.8' }), 'from-vm', sampled)).toBe(
    'AllowedUnsampled: policy.samplePerMillion not among 0',
  );
  const previous = { address: '8.8.8.8', port: 51900, untilNs: 5n };
  const elsewhere = handshake({ to: '8.8.8.8' });
  expect(explained(elsewhere, 'from-vm', policy({ previous }), 4n)).toBe(
    'AllowedPreviousEndpoint: previousEndpoint 8.8.8.8:51900',
  );
  expect(explained(elsewhere, 'from-vm', policy({ previous }), 5n)).toBe(
    'PreviousEndpointExpired: previousEndpoint 8.8.8.8:51900 / 203.0.113.10:51900',
  );
  expect(
    decidingField('NoPolicy', { direction: 'from-vm', view: new FrameView(frame), policy: null }),
  ).toEqual({
    decidingField: 'policy',
    found: 'none',
    wanted: 'a policy in force',
  });
});

test('every reason has a field, and a reason of another version says its name', () => {
  const judged = { direction: 'from-vm' as const, view: new FrameView(new Uint8Array()), policy: policy() };
  for (const { name } of REASONS.filter((reason) => reason.name !== 'NoPolicy')) {
    expect(decidingField(name, judged).decidingField).not.toBe('frame');
  }
  expect(decidingField('Reason63', judged)).toMatchObject({ decidingField: 'frame', found: 'Reason63' });
});

test('20,000 generated frames (seed 4): a drop has a field that is not as wanted, a pass wants nothing', () => {
  const frames = scenarios(4);
  for (let count = 0; count < 20_000; count++) {
    const { direction, policy: generated, frame, circumstances } = frames.next().value;
    const { inForce, bytes } = generated;
    if (inForce === 'foreign') continue;
    const { action, reason } = strategyFor(inForce).judge(direction, inForce, frame, circumstances);
    const by = bytes === null || inForce === 'none' ? null : known(bytes);
    // Nobody, address and port 0, is matched by no frame, not even by one to that address.
    if (by === 'foreign' || by?.endpoint?.port === 0) continue;
    const { found, wanted } = decidingField(reason, { direction, view: new FrameView(frame), policy: by });
    // What stands beside a frame is in no capture: offloads, tags that were taken off, the mark of our own answers.
    const { superFrame, vlanInMetadata, ownAnswer, pendingChecksumAt } = circumstances;
    const inFrame =
      superFrame === null &&
      !vlanInMetadata &&
      pendingChecksumAt === null &&
      (ownAnswer || direction === 'from-vm');
    if (inFrame && by?.flags.audit !== true)
      expect([reason, wanted === null]).toEqual([reason, action !== 'drop']);
    if (inFrame) expect([reason, found]).not.toEqual([reason, wanted]);
  }
});

function known(bytes: Uint8Array): Policy | 'foreign' {
  try {
    return decodePolicy(bytes);
  } catch {
    return 'foreign';
  }
}
