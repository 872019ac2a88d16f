import { describe, expect, test } from '@jest/globals';
import { packetCounts } from '../../../../src/agent/status/cluster/packet-counts.ts';
import { ViolationTuples } from '../../../../src/agent/status/cluster/violation-tuples.ts';
import { vmNetworkAttachmentStatusSchema } from '../../../../src/api/v1alpha1/vm-network-attachment-status.ts';
import type { FilterEvent } from '../../../../src/native/filter-engine.ts';
import { arpRequest, CAST, fromGuest, toGuest } from '../../../support/frames/cast.ts';
import { ethernet } from '../../../support/frames/ethernet.ts';

const TIME = '2026-01-31T12:00:00.000Z';

const event = (frame: Uint8Array, over: Partial<FilterEvent> = {}): FilterEvent => ({
  kind: 'drop',
  audited: false,
  timeNs: 0n,
  generation: 1n,
  ifindex: 1,
  frameBytes: frame.length,
  direction: 'from-vm',
  reason: 20,
  head: frame.slice(0, 64),
  ...over,
});

function tupleOf(frame: Uint8Array, over: Partial<FilterEvent> = {}) {
  const tuples = new ViolationTuples();
  tuples.note('vm', event(frame, over), TIME);
  const [tuple] = tuples.of('vm');
  expect(
    vmNetworkAttachmentStatusSchema.safeParse({ lastViolations: tuples.of('vm') }).error,
  ).toBeUndefined();
  return tuple;
}

describe('what a VM tried', () => {
  test('is told with the rare beside the frequent: a scan crowds out no other reason, and no other direction', () => {
    const tuples = new ViolationTuples();
    const note = (address: string, over: Partial<FilterEvent> = {}): void =>
      tuples.note('vm', event(fromGuest(CAST, { ip: { destination: address } }), over), TIME);
    note('192.0.2.1', { reason: 38 });
    tuples.note('vm', event(toGuest(CAST), { direction: 'to-vm', reason: 40 }), TIME);
    for (let last = 1; last <= 100; last += 1) note(`192.0.2.${String(last)}`, { reason: 40 });
    const kept = tuples
      .of('vm')
      .map(({ direction, reason, address }) => `${direction} ${reason} ${address ?? ''}`);
    expect(kept.slice(0, 2)).toEqual([
      'FromVM Protocol 192.0.2.1',
      `ToVM DestinationAddress ${CAST.endpoint.address}`,
    ]);
    expect(kept.slice(2)).toEqual(
      [95, 96, 97, 98, 99, 100].map((last) => `FromVM DestinationAddress 192.0.2.${String(last)}`),
    );
  });

  test('is told by whom it spoke to', () => {
    const frame = fromGuest(CAST, { ip: { destination: '192.0.2.66' }, udp: { destinationPort: 53 } });
    expect(tupleOf(frame)).toMatchObject({
      time: TIME,
      direction: 'FromVM',
      protocol: 'UDP',
      address: '192.0.2.66',
      port: 53,
      packets: 1,
    });
  });

  test('or by who spoke to it', () => {
    const frame = toGuest(CAST, { ip: { source: '192.0.2.66' }, udp: { sourcePort: 53 } });
    expect(tupleOf(frame, { direction: 'to-vm' })).toMatchObject({
      direction: 'ToVM',
      address: '192.0.2.66',
      port: 53,
    });
  });

  test.each([
    ['ARP', arpRequest(CAST), { protocol: 'ARP', address: CAST.gatewayAddress }],
    [
      'IPv6',
      ethernet({ ...cardMacs(), etherType: 0x86dd, payload: ipv6() }),
      { protocol: 'TCP', address: '2001:db8::1', port: 443 },
    ],
    [
      'an unknown EtherType',
      ethernet({ ...cardMacs(), etherType: 0x88cc, payload: new Uint8Array(46) }),
      { protocol: 'EtherType 0x88cc' },
    ],
    ['nothing at all', new Uint8Array(0), { protocol: 'EtherType 0x0000' }],
    ['half a header', fromGuest(CAST).slice(0, 20), { protocol: 'IPv4' }],
  ])('%s', (_what, frame, tuple) => {
    expect(tupleOf(frame)).toMatchObject(tuple);
  });

  test('a later fragment has no ports, whatever stands there', () => {
    const tuple = tupleOf(fromGuest(CAST, { ip: { fragmentOffset: 8 } }));
    expect(tuple).toMatchObject({ protocol: 'UDP', address: CAST.endpoint.address });
    expect(tuple).not.toHaveProperty('port');
  });

  test('each kind is told once, with how often; eight of them, the latest', () => {
    const tuples = new ViolationTuples();
    const to = (port: number) =>
      event(fromGuest(CAST, { udp: { destinationPort: port, sourcePort: port + 1000 } }));
    for (let port = 1; port <= 10; port += 1) tuples.note('vm', to(port), TIME);
    tuples.note('vm', to(4), '2026-01-31T12:00:01.000Z');
    expect(tuples.of('vm').map(({ port, packets }) => [port, packets])).toEqual([
      [3, 1],
      [5, 1],
      [6, 1],
      [7, 1],
      [8, 1],
      [9, 1],
      [10, 1],
      [4, 2],
    ]);
    expect(tuples.of('other')).toEqual([]);
    tuples.keepOnly(new Set());
    expect(tuples.of('vm')).toEqual([]);
  });

  function cardMacs() {
    return { destination: CAST.gatewayMac, source: CAST.guestMac };
  }

  function ipv6(): Uint8Array {
    const packet = new Uint8Array(60);
    packet.set([0x60, 0, 0, 0, 0, 20, 6, 64]);
    packet.set([0x20, 1, 0x0d, 0xb8], 24);
    packet[39] = 1;
    packet.set([0x10, 0, 1, 0xbb], 40);
    return packet;
  }
});

describe('packet counts', () => {
  test('both directions together; what was only audited passed', () => {
    const line = { audited: false, bytes: 1n } as const;
    expect(
      packetCounts([
        { ...line, direction: 'from-vm', reason: 0, packets: 5n },
        { ...line, direction: 'to-vm', reason: 0, packets: 4n },
        { ...line, direction: 'from-vm', reason: 2, packets: 1n },
        { ...line, direction: 'from-vm', reason: 20, packets: 2n },
        { ...line, direction: 'to-vm', reason: 20, packets: 3n },
        { ...line, direction: 'from-vm', reason: 20, audited: true, packets: 7n },
        { ...line, direction: 'from-vm', reason: 61, packets: 1n },
      ]),
    ).toEqual({
      allowed: 17,
      dropped: 6,
      droppedByReason: { [expectedName(20)]: 5, Reason61: 1 },
    });
    expect(packetCounts([])).toEqual({ allowed: 0, dropped: 0 });
  });

  function expectedName(reason: number): string {
    return tupleOf(new Uint8Array(60), { reason })?.reason ?? '';
  }
});
