import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DropEventFeed, toDropEvent } from '../../../src/agent/status/drop-events.ts';
import { summarizeFrame } from '../../../src/agent/status/frame-summary.ts';
import type { AgentStatus, AttachmentStatus } from '../../../src/agent/status/status.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const MACS = '02766d6e0001 02760d94763c';

describe('one line about a frame', () => {
  test.each([
    [
      'UDP',
      `${MACS} 0800 45000020000000004011 0000 64400005 08080808 c350 0035 000c0000`,
      'UDP 100.64.0.5:50000 > 8.8.8.8:53',
    ],
    [
      'TCP',
      `${MACS} 0800 45000028000000004006 0000 64400005 cb00710a 1f90 cafe 00000000`,
      'TCP 100.64.0.5:8080 > 203.0.113.10:51966',
    ],
    ['ICMP', `${MACS} 0800 45000020000000004001 0000 64400005 08080808 0800`, 'ICMP 100.64.0.5 > 8.8.8.8'],
    [
      'a fragment',
      `${MACS} 0800 45000020000020004011 0000 64400005 08080808 c350 0035`,
      'UDP 100.64.0.5 > 8.8.8.8, fragment',
    ],
    [
      'another protocol',
      `${MACS} 0800 45000020000000004063 0000 64400005 08080808`,
      'protocol 99 100.64.0.5 > 8.8.8.8',
    ],
    [
      'ports behind options',
      `${MACS} 0800 46000020000000004011 0000 64400005 08080808 01010101 c350 0035`,
      'UDP 100.64.0.5:50000 > 8.8.8.8:53',
    ],
    [
      'ARP',
      `ffffffffffff 02760d94763c 0806 0001080006040001 02760d94763c 64400005 000000000000 a9fe0101`,
      'ARP who has 169.254.1.1, from 100.64.0.5',
    ],
    ['IPv6', `333300000002 02760d94763c 86dd 60000000`, 'IPv6, 02:76:0d:94:76:3c > 33:33:00:00:00:02'],
    [
      '802.3',
      `0180c2000000 02760d94763c 0026 424203`,
      '802.3 length 38, 02:76:0d:94:76:3c > 01:80:c2:00:00:00',
    ],
    ['an unknown EtherType', `${MACS} 88b6 00`, 'EtherType 0x88b6, 02:76:0d:94:76:3c > 02:76:6d:6e:00:01'],
    ['too little', '0276', '2 bytes, too short for an Ethernet header'],
    ['cut off IPv4', `${MACS} 0800 4500`, 'IPv4, cut off'],
  ])('%s', (_what, frame, line) => {
    expect(summarizeFrame(hex(frame))).toBe(line);
  });

  test('any bytes give one printable line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (head) => {
        expect(summarizeFrame(head)).toMatch(/^[\x20-\x7e]+$/);
      }),
    );
  });
});

describe('drop events', () => {
  const event = {
    timeNs: 5_000_000_000n,
    generation: 1n,
    ifindex: 7,
    frameBytes: 98,
    direction: 'from-vm' as const,
    reason: 29,
    head: hex(`${MACS} 86dd 00`),
  };
  const clock = { now: () => new Date('2026-01-31T12:00:10Z'), monotonicNs: () => 7_000_000_000n };

  test('are told with the VM, its network, the reason and the wall-clock time', () => {
    const attachment = { vm: 'vm-a', network: 't/one', ifindex: 7 } as AttachmentStatus;
    const status = { attachments: [attachment] } as unknown as AgentStatus;
    expect(toDropEvent(event, status, clock)).toEqual({
      time: '2026-01-31T12:00:08.000Z',
      vm: 'vm-a',
      network: 't/one',
      direction: 'from-vm',
      reason: 'Ipv6',
      summary: expect.stringContaining('IPv6'),
      frameBytes: 98,
    });
    expect(toDropEvent({ ...event, ifindex: 8 }, status, clock)).toMatchObject({ vm: '', network: null });
    expect(toDropEvent(event, null, clock)).toMatchObject({ vm: '' });
  });

  test('reach who listens, and nobody after', () => {
    const feed = new DropEventFeed();
    const seen: unknown[] = [];
    const end = feed.subscribe((item) => seen.push(item));
    const one = toDropEvent(event, null, clock);
    feed.publish(one);
    end();
    end();
    feed.publish(one);
    expect(seen).toEqual([one]);
  });
});
