import { describe, expect, test } from '@jest/globals';
import { DropEventFeed, toDropEvent } from '../../../src/agent/status/drop-events.ts';
import { attachmentOf } from '../../../src/agent/status/event-card.ts';
import type { AttachmentStatus } from '../../../src/agent/status/status.ts';
import { REASONS } from '../../../src/filter/drop-reason.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const numberOf = (name: string): number => REASONS.find((one) => one.name === name)?.number ?? NaN;
const MACS = '02766d6e0001 02760d94763c';

describe('drop events', () => {
  const event = {
    timeNs: 5_000_000_000n,
    generation: 1n,
    ifindex: 7,
    frameBytes: 98,
    direction: 'from-vm' as const,
    reason: 29,
    kind: 'drop' as const,
    audited: false,
    head: hex(`${MACS} 86dd 00`),
  };
  const clock = new FakeClock({ nowMs: Date.parse('2026-01-31T12:00:10Z'), monotonicMs: 7000 });

  test('are told with the VM, its network, the reason and the wall-clock time', () => {
    const attachment = { vm: 'vm-a', network: 't/one', ifindex: 7 } as AttachmentStatus;
    expect(toDropEvent(event, attachment, clock)).toEqual({
      time: '2026-01-31T12:00:08.000Z',
      vm: 'vm-a',
      network: 't/one',
      direction: 'from-vm',
      reason: 'Ipv6',
      summary: expect.stringContaining('IPv6'),
      frameBytes: 98,
      kind: 'drop',
      audited: false,
    });
    expect(toDropEvent(event, null, clock)).toMatchObject({ vm: '', network: null });
  });

  describe('of interfaces of one number in two network namespaces', () => {
    const here = { ifindex: 7, mac: '02:76:0d:94:76:3c' };
    const there = { ifindex: 7, mac: '52:54:00:00:00:01' };
    const both = [here, there, { ifindex: 8, mac: here.mac }];

    test('are of the card whose MAC address was found to be right', () => {
      expect(attachmentOf(event, both)).toBe(here);
      expect(attachmentOf({ ...event, direction: 'to-vm' }, both)).toBeNull();
      const answer = { ...event, direction: 'to-vm' as const, head: hex('525400000001 02766d6e0001 0800') };
      expect(attachmentOf(answer, both)).toBe(there);
    });

    test('are of nobody where a guest wrote an address that was not found right, or two have it', () => {
      for (const symbol of [
        'NoPolicy',
        'Quarantined',
        'SourceMac',
        'DestinationMac',
        'ChecksumOffload',
      ] as const)
        expect(attachmentOf({ ...event, reason: numberOf(symbol) }, both)).toBeNull();
      expect(attachmentOf(event, [here, { ...here }])).toBeNull();
    });

    test('need no MAC address where the number is one card alone', () => {
      expect(attachmentOf({ ...event, reason: numberOf('SourceMac') }, [there])).toBe(there);
      expect(attachmentOf({ ...event, ifindex: 9 }, both)).toBeNull();
    });
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
