import { describe, expect, test } from '@jest/globals';
import { ArpPacket } from '../../../src/packet/arp-packet.ts';
import { EthernetFrame } from '../../../src/packet/ethernet-frame.ts';
import { arpRequest, CAST, fromGuest } from '../../support/frames/cast.ts';
import * as frames from '../../support/frames/index.ts';
import { failureOf, parsed } from '../../support/frames-generator/parsed.ts';

const ends = { destination: CAST.gatewayMac, source: CAST.guestMac };
const ipv6 = frames.ipv6({ source: 'fe80::1', destination: 'fe80::2', nextHeader: 59 });

describe('EthernetFrame', () => {
  test.each([
    ['IPv4', 0x0800, fromGuest(CAST), CAST.gatewayMac],
    ['ARP', 0x0806, arpRequest(CAST), 'ff:ff:ff:ff:ff:ff'],
    ['IPv6', 0x86dd, frames.ethernet({ ...ends, etherType: 0x86dd, payload: ipv6 }), CAST.gatewayMac],
  ])('[EF-1] %s: MACs, EtherType, payload', (kind, etherType, bytes, destination) => {
    const frame = parsed(EthernetFrame.parse(bytes));
    expect(frame).toMatchObject({ kind, etherType });
    expect([frame.destination.toString(), frame.source.toString()]).toEqual([destination, CAST.guestMac]);
    expect(frame.payload).toEqual(bytes.subarray(14));
  });

  test('[EF-1] the payload is a view, not a copy, also within a larger buffer', () => {
    const bytes = frames.concat(new Uint8Array(7), fromGuest(CAST));
    const { payload } = parsed(EthernetFrame.parse(bytes.subarray(7)));
    expect(payload.buffer).toBe(bytes.buffer);
    expect(payload.byteOffset).toBe(7 + 14);
  });

  test('[EF-1] a frame that was read cannot be changed through its view', () => {
    const frame = parsed(EthernetFrame.parse(fromGuest(CAST)));
    for (const noun of [frame, frame.source]) expect(Object.isFrozen(noun)).toBe(true);
  });

  test.each(Array.from({ length: 14 }, (_, length) => length))(
    '[EF-2] %i bytes: a typed failure, no throw',
    (length) => {
      const result = EthernetFrame.parse(fromGuest(CAST).subarray(0, length));
      expect(result).toMatchObject({ reason: 'FrameTooShort', availableBytes: length });
    },
  );

  test('[EF-3] a header with nothing behind it is valid, its payload empty', () => {
    const frame = parsed(EthernetFrame.parse(frames.ethernet({ ...ends, etherType: 0x0800 })));
    expect(frame.payload.length).toBe(0);
    expect(frame.kind).toBe('IPv4');
  });

  test.each([
    [0x88cc, 'unknown'],
    [0x0600, 'unknown'],
    [0x05ff, '802.3'],
    [0, '802.3'],
    [0xffff, 'unknown'],
    [0x9200, 'unknown'],
  ])('[EF-5] EtherType %i is reported as what it is: %s', (etherType, kind) => {
    expect(parsed(EthernetFrame.parse(frames.ethernet({ ...ends, etherType })))).toMatchObject({
      etherType,
      kind,
    });
  });

  test.each<[string, frames.Tag[]]>([
    ['802.1Q', [{ vlan: 5, priority: 3 }]],
    ['802.1ad', [{ tpid: 0x88a8, vlan: 4095, priority: 7 }]],
    ['before 802.1ad', [{ tpid: 0x9100, vlan: 0 }]],
    ['two of them', [{ tpid: 0x88a8, vlan: 5 }, { vlan: 6 }]],
  ])('[EF-5] %s tags: recognised, reported, looked through', (_, tags) => {
    const inner = fromGuest(CAST);
    const frame = parsed(EthernetFrame.parse(frames.tagged(inner, ...tags)));
    expect(frame).toMatchObject({ kind: 'VLAN', etherType: tags[0]?.tpid ?? 0x8100 });
    const { tags: seen, etherType, payload } = parsed(frame.untagged());
    expect(seen).toEqual(
      tags.map(({ tpid = 0x8100, vlan, priority = 0 }) => ({
        protocol: tpid,
        vlan,
        priority,
        dropEligible: false,
      })),
    );
    expect(etherType).toBe(0x0800);
    expect(payload).toEqual(inner.subarray(14));
  });

  test('[EF-5] a third tag is not looked through, and the drop-eligible bit is not part of the priority', () => {
    const thrice = frames.tagged(fromGuest(CAST), { vlan: 1 }, { vlan: 2 }, { vlan: 3 });
    expect(parsed(parsed(EthernetFrame.parse(thrice)).untagged())).toMatchObject({ etherType: 0x8100 });
    const eligible = frames.tagged(fromGuest(CAST), { vlan: 0x1000 | 5 });
    const { tags } = parsed(parsed(EthernetFrame.parse(eligible)).untagged());
    expect(tags).toEqual([{ protocol: 0x8100, vlan: 5, priority: 0, dropEligible: true }]);
  });

  test.each([0, 1, 3])(
    '[EF-5] a tag of %i bytes: still a VLAN frame, and the tag a typed failure',
    (kept) => {
      const cut = frames.tagged(fromGuest(CAST), { vlan: 5 }).subarray(0, 14 + kept);
      const frame = parsed(EthernetFrame.parse(cut));
      expect(frame.kind).toBe('VLAN');
      expect(failureOf(frame.untagged())).toBe('VlanTooShort');
    },
  );
});

describe('ArpPacket', () => {
  const bytes = arpRequest(CAST).subarray(14);

  test('[EF-1] the fields of a request', () => {
    const arp = parsed(ArpPacket.parse(bytes));
    expect(arp.operation).toBe(1);
    expect(arp.senderMac.toString()).toBe(CAST.guestMac);
    expect(arp.senderAddress.toString()).toBe(CAST.guestAddress);
    expect(arp.targetMac.toString()).toBe('00:00:00:00:00:00');
    expect(arp.targetAddress.toString()).toBe(CAST.gatewayAddress);
  });

  test('cut short, or about something else: a typed failure', () => {
    for (let length = 0; length < 28; length += 1)
      expect(failureOf(ArpPacket.parse(bytes.subarray(0, length)))).toBe('ArpTooShort');
    for (const offset of [0, 1, 2, 3, 4, 5])
      expect(failureOf(ArpPacket.parse(frames.patched(bytes, offset, [0x77])))).toBe('ArpFormat');
  });
});
