import { describe, expect, test } from '@jest/globals';
import { newFilterMemory, type FilterMemory } from '../../../src/filter/filter-memory.ts';
import { strategyFor } from '../../../src/filter/strategy.ts';
import type { Verdict } from '../../../src/filter/verdict.ts';
import { arpRequest, CAST, fromGuest, STRANGER, toGuest } from '../../support/frames/cast.ts';
import { concat } from '../../support/frames/bytes.ts';
import { tagged } from '../../support/frames/ethernet.ts';
import { Mode, type PolicyFields } from '../../support/frames/policy-bytes.ts';
import { wireGuardShape } from '../../support/frames/wireguard.ts';
import { fromVm, policyWith, toVm } from '../../support/frames-generator/judged.ts';

const auditing = (fields: Partial<PolicyFields> = {}, memory: FilterMemory = newFilterMemory()) => {
  const policy = policyWith({ audit: true, ...fields });
  const strategy = strategyFor(policy, memory);
  return { from: fromVm(strategy, policy), to: toVm(strategy, policy) };
};

const elsewhere = fromGuest(CAST, { ip: { destination: STRANGER.address } });
const passed = (reason: string) => ({ action: 'allow', reason, audited: true });
const dropped = (reason: string) => ({ action: 'drop', reason, audited: false });

describe('Audit lets pass, and names what would have been dropped', () => {
  test('whom the guest talks to, and how', () => {
    const { from } = auditing({ strict: true });
    expect(from(elsewhere)).toMatchObject(passed('DestinationAddress'));
    expect(from(fromGuest(CAST, { udp: { destinationPort: 53 } }))).toMatchObject(passed('DestinationPort'));
    expect(from(fromGuest(CAST, { udp: { sourcePort: 0 } }))).toMatchObject(passed('SourcePort'));
    expect(from(fromGuest(CAST, { ip: { protocol: 6 } }))).toMatchObject(passed('Protocol'));
    expect(from(fromGuest(CAST, { udp: { length: 9 } }))).toMatchObject(passed('UdpLength'));
    const text = fromGuest(CAST, { udp: { payload: wireGuardShape(9, 40) } });
    expect(from(text)).toMatchObject(passed('NotWireGuard'));
  });

  test('whom it hears', () => {
    const { to } = auditing();
    const stranger = toGuest(CAST, { ip: { source: STRANGER.address } });
    expect(to(stranger)).toMatchObject(passed('SourceAddress'));
  });

  test('an endpoint whose grace is over', () => {
    const { from } = auditing({ previous: { ...CAST.previous, untilNs: 1n } });
    const { address, port } = CAST.previous;
    const old = fromGuest(CAST, { ip: { destination: address }, udp: { destinationPort: port } });
    expect(from(old)).toMatchObject(passed('PreviousEndpointExpired'));
  });

  test('how much it sends; what would be refused is not paid for', () => {
    const { from } = auditing({ packetsPerSecond: 20 });
    expect(from(fromGuest(CAST))).toMatchObject({ reason: 'Allowed', audited: false });
    for (let frame = 0; frame < 100; frame += 1) {
      expect(from(fromGuest(CAST))).toMatchObject(passed('PacketRate'));
      expect(from(elsewhere)).toMatchObject(passed('DestinationAddress'));
    }
    const later = { nowNs: 1_000_050_000_000n };
    expect(from(fromGuest(CAST), later)).toMatchObject({ reason: 'Allowed', audited: false });
  });

  test('but no packets of a super-frame that are too big', () => {
    const { from } = auditing({ maxPacketBytes: 1500 });
    const payload = wireGuardShape(4, 4000);
    const superFrame = { kind: 'udp', segmentBytes: 2000 } as const;
    expect(from(fromGuest(CAST, { udp: { payload } }), { superFrame })).toMatchObject(
      dropped('PacketTooBig'),
    );
  });

  test('nor a super-frame that becomes fragments; one of TCP is TCP', () => {
    const { from } = auditing();
    expect(from(fromGuest(CAST), { superFrame: { kind: 'other' } })).toMatchObject(dropped('SuperFrame'));
    const tcp = fromGuest(CAST, { ip: { protocol: 6 }, udp: { payload: new Uint8Array(3000) } });
    tcp[46] = 0x50;
    const superFrame = { kind: 'tcp', segmentBytes: 1400 } as const;
    expect(from(tcp, { superFrame })).toMatchObject(passed('Protocol'));
    tcp[46] = 0x40;
    expect(from(tcp, { superFrame })).toMatchObject(dropped('Protocol'));
  });

  test('what is allowed is not audited', () => {
    const { from } = auditing();
    expect(from(fromGuest(CAST))).toMatchObject({ action: 'allow', reason: 'Allowed', audited: false });
    expect(from(arpRequest(CAST))).toMatchObject({ action: 'reply', audited: false });
  });
});

describe('Audit never overlooks who the guest is', () => {
  const frames: [string, Uint8Array][] = [
    ['SourceMac', fromGuest(CAST, { ethernet: { source: STRANGER.mac } })],
    ['DestinationMac', fromGuest(CAST, { ethernet: { destination: STRANGER.mac } })],
    ['GroupMac', fromGuest(CAST, { ethernet: { destination: '01:00:5e:00:00:fb' } })],
    ['Vlan', tagged(fromGuest(CAST), { vlan: 1 })],
    ['EtherType', fromGuest(CAST, { ethernet: { etherType: 0x88cc } })],
    ['Ipv6', fromGuest(CAST, { ethernet: { etherType: 0x86dd } })],
    ['ArpSpoofed', arpRequest(CAST, { senderAddress: STRANGER.address })],
    ['ArpNotGateway', arpRequest(CAST, { targetAddress: STRANGER.address })],
    ['SourceAddress', fromGuest(CAST, { ip: { source: STRANGER.address } })],
    ['IpOptions', fromGuest(CAST, { ip: { options: new Uint8Array(4) } })],
    ['IpFragment', fromGuest(CAST, { ip: { fragmentOffset: 185 } })],
    ['IpChecksum', fromGuest(CAST, { ip: { checksum: 1 } })],
    ['IpTtl', fromGuest(CAST, { ip: { ttl: 0 } })],
    ['IpTotalLength', fromGuest(CAST, { ip: { totalLength: 61 } })],
    ['FrameTooShort', fromGuest(CAST).subarray(0, 20)],
    ['PacketTooBig', fromGuest(CAST, { udp: { payload: new Uint8Array(1473) } })],
  ];

  test.each(frames)('[SB-1] %s in every mode, drawn or not', (reason, frame) => {
    for (const mode of Object.values(Mode)) {
      for (const samplePerMillion of [0, 1_000_000]) {
        const { from } = auditing({ mode, samplePerMillion, maxPacketBytes: 1500 });
        expect(from(frame)).toMatchObject(dropped(reason));
      }
    }
  });

  test('nor who a frame to the VM is for, even where another rule is named first', () => {
    const { to } = auditing();
    const other = { destination: STRANGER.address };
    expect(to(toGuest(CAST, { ip: other }))).toMatchObject(dropped('DestinationAddress'));
    expect(to(toGuest(CAST, { ip: { ...other, source: STRANGER.address } }))).toMatchObject(
      dropped('SourceAddress'),
    );
    expect(to(toGuest(CAST, { ip: { ...other, protocol: 6 } }))).toMatchObject(dropped('Protocol'));
  });

  test('nor what will be written into the frame behind its back', () => {
    const { from } = auditing();
    const at = (frame: Uint8Array, pendingChecksumAt: number): Verdict => from(frame, { pendingChecksumAt });
    expect(at(fromGuest(CAST), 36)).toMatchObject(dropped('ChecksumOffload'));
    expect(at(elsewhere, 36)).toMatchObject(dropped('ChecksumOffload'));
    expect(at(elsewhere, 40)).toMatchObject(passed('DestinationAddress'));
    const [segment, message] = [6, 1].map((protocol) => fromGuest(CAST, { ip: { protocol } }));
    expect(at(segment ?? concat(), 50)).toMatchObject(passed('Protocol'));
    expect(at(segment ?? concat(), 40)).toMatchObject(dropped('Protocol'));
    expect(at(message ?? concat(), 40)).toMatchObject(dropped('IcmpToEndpoint'));
  });

  test('nor a policy that says that nothing passes', () => {
    expect(auditing({ quarantined: true }).from(fromGuest(CAST))).toMatchObject(dropped('Quarantined'));
    expect(fromVm(strategyFor('none'), 'none')(fromGuest(CAST))).toMatchObject(dropped('NoPolicy'));
    expect(fromVm(strategyFor('foreign'), 'foreign')(fromGuest(CAST))).toMatchObject(dropped('PolicyAbi'));
  });
});
