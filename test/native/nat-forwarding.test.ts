import { describe, expect, test } from '@jest/globals';
import type { FilterEvent } from '../../src/native/events.ts';
import { arpAnswer, arpRequest, fromGuest, GUEST_PORT, OTHER_VM, STRANGER } from '../support/frames/cast.ts';
import { Mode } from '../support/frames/policy-bytes.ts';
import { pattern, Protocol } from '../support/frames/index.ts';
import { poll } from '../support/lab/poll.ts';
import { byReason, policyFor, replyFrame, withBed } from '../support/nat/bed.ts';
import { Consumer } from '../support/nat/consumer.ts';

// The real vmn-nat as a user without rights, a consumer on loopback, and the guest's end of a QEMU stream.

describe('vmn-nat forwards', () => {
  test('[UF-1] [FN-1] [FB-2] datagrams of all sizes go to the consumer and back, byte for byte', async () => {
    await withBed(async ({ guest, consumer, cast, control }) => {
      const payloads = [0, 1, 2, 3, 31, 148, 1419, 1420, 1452, 9000].map((bytes) => pattern(bytes, bytes));
      for (const [index, payload] of payloads.entries()) {
        guest.send(fromGuest(cast, { udp: { payload } }));
        const { payload: arrived, from } = await consumer.datagram(index);
        expect(arrived).toEqual(payload);
        expect(from.address).toBe('127.0.0.1'); // the host's, not the guest's
        expect(await guest.frame(index)).toEqual(replyFrame(cast, payload, GUEST_PORT));
      }
      const counters = await control.counters();
      expect(byReason(counters)).toEqual({
        'from-vm Allowed': payloads.length,
        'to-vm Allowed': payloads.length,
      });
      expect(counters.engine).toMatchObject({ sent: 10n, received: 10n, delivered: 10n, flows_opened: 1n });
    });
  });

  test('[FB-2] every sum that a checksum can have is right, zero and its stand-in too', async () => {
    await withBed(async ({ guest, consumer, cast }) => {
      // With two bytes free, one of 2^16 values makes the sum come out at 0: sent as 0xffff (RFC 768).
      const at = Uint8Array.of(0, 0);
      const zero = replyFrame(cast, at, GUEST_PORT).subarray(40, 42);
      const payloads = [at, zero, pattern(33, 3), new Uint8Array(1000).fill(0xff)];
      for (const [index, payload] of payloads.entries()) {
        guest.send(fromGuest(cast, { udp: { payload } }));
        await consumer.datagram(index);
        expect(await guest.frame(index)).toEqual(replyFrame(cast, payload, GUEST_PORT));
      }
      expect(guest.frames[1]?.subarray(40, 42)).toEqual(Uint8Array.of(0xff, 0xff));
    });
  });

  test('[UF-1] a burst is handed to the kernel in runs, and arrives whole and in order', async () => {
    await withBed(async ({ guest, consumer, cast, control }) => {
      consumer.silent = true;
      const payloads = Array.from({ length: 100 }, (_, i) => pattern(i % 20 === 19 ? 300 : 600, i));
      guest.send(...payloads.map((payload) => fromGuest(cast, { udp: { payload } })));
      await consumer.datagram(99);
      expect(consumer.received.map(({ payload }) => payload)).toEqual(payloads);
      expect((await control.status()).segments).toBe(true);
    });
  });

  test('[FN-3] replies reach the port that asked', async () => {
    await withBed(async ({ guest, consumer, cast }) => {
      const ports = [GUEST_PORT, 1, 65535, GUEST_PORT];
      for (const [index, sourcePort] of ports.entries()) {
        guest.send(fromGuest(cast, { udp: { payload: pattern(40, index), sourcePort } }));
        expect(await guest.frame(index)).toEqual(replyFrame(cast, pattern(40, index), sourcePort));
      }
      const hostPorts = consumer.received.map(({ from }) => from.port);
      expect(new Set(hostPorts).size).toBe(3);
      expect(hostPorts[3]).toBe(hostPorts[0]);
    });
  });

  test('more source ports than places: the oldest goes out, and works again when it is used', async () => {
    await withBed(async ({ guest, consumer, cast, control }) => {
      for (let port = 1; port <= 100; port += 1) {
        guest.send(fromGuest(cast, { udp: { payload: pattern(8, port), sourcePort: port } }));
        await guest.frame(port - 1);
      }
      guest.send(fromGuest(cast, { udp: { payload: pattern(9), sourcePort: 1 } }));
      expect(await guest.frame(100)).toEqual(replyFrame(cast, pattern(9), 1));
      expect((await control.status()).flows).toBe(64);
      expect((await control.counters()).engine.flows_pushed_out).toBe(37n);
      expect(consumer.received).toHaveLength(101);
    });
  });
});

describe('vmn-nat lets nothing else through', () => {
  test('[FN-2] what is for anybody else is dropped, counted by its reason, and told with a rate limit', async () => {
    await withBed(async ({ guest, consumer, cast, control }) => {
      const events: FilterEvent[] = [];
      await control.subscribe((event) => events.push(event));
      const stranger = fromGuest(cast, { ip: { destination: STRANGER.address } });
      guest.send(stranger, stranger, stranger);
      guest.send(fromGuest(cast, { udp: { destinationPort: 53 } }));
      guest.send(fromGuest(cast, { ip: { protocol: Protocol.tcp } }));
      guest.send(fromGuest(cast));
      await guest.frame();
      expect(byReason(await control.counters())).toEqual({
        'from-vm Allowed': 1,
        'from-vm DestinationAddress': 3,
        'from-vm DestinationPort': 1,
        'from-vm Protocol': 1,
        'to-vm Allowed': 1,
      });
      expect(consumer.received).toHaveLength(1);
      await poll('the events', () => events.length >= 3);
      expect(events.map(({ reason }) => reason)).toEqual([40, 41, 38]); // the same frame is told once
      expect(events[0]).toMatchObject({
        direction: 'from-vm',
        generation: 1n,
        head: stranger.subarray(0, 64),
      });

      const many = Array.from({ length: 200 }, (_, i) =>
        fromGuest(cast, { udp: { destinationPort: 1000 + i } }),
      );
      guest.send(...many, fromGuest(cast));
      await guest.frame(1);
      const { eventLoss } = await control.counters();
      expect(eventLoss.suppressed).toBeGreaterThanOrEqual(200n - 2n * 32n); // at most 32 in each of two seconds
    });
  });

  test('[FB-3] what the guest says of itself changes nothing: pinned addresses stay, ARP is answered by them', async () => {
    await withBed(async ({ guest, cast, control }) => {
      guest.send(arpRequest(cast, {}, {}));
      expect(await guest.frame(0)).toEqual(arpAnswer(cast));
      guest.send(
        fromGuest(cast, { ethernet: { source: OTHER_VM.mac } }),
        fromGuest(cast, { ip: { source: OTHER_VM.address } }),
        arpRequest(cast, { senderMac: OTHER_VM.mac }),
        arpRequest(cast, { senderAddress: OTHER_VM.address }),
        arpRequest(cast, { targetAddress: OTHER_VM.address }),
        fromGuest(cast),
      );
      const reply = await guest.frame(1);
      expect(reply.subarray(0, 12)).toEqual(arpAnswer(cast).subarray(0, 12));
      expect(byReason(await control.counters())).toMatchObject({
        'from-vm SourceMac': 1,
        'from-vm SourceAddress': 1,
        'from-vm ArpSpoofed': 2,
        'from-vm ArpNotGateway': 1,
      });
    });
  });

  test('[UF-3] a datagram from anybody but the consumer does not reach the guest', async () => {
    const stranger = await Consumer.listen('127.0.0.2');
    const neighbour = await Consumer.listen('127.0.0.1'); // the consumer's address, another port
    try {
      await withBed(async ({ guest, consumer, cast, control }) => {
        guest.send(fromGuest(cast, { udp: { payload: pattern(8) } }));
        const { from } = await consumer.datagram();
        await guest.frame();
        for (const other of [stranger, neighbour]) other.send(pattern(8, 66), from);
        consumer.send(pattern(9), from);
        expect(await guest.frame(1)).toEqual(replyFrame(cast, pattern(9), GUEST_PORT));
        expect(guest.frames).toHaveLength(2);
        expect((await control.counters()).engine.received).toBe(2n); // the kernel kept theirs away
      });
    } finally {
      stranger.close();
      neighbour.close();
    }
  });

  test('audit and samples count what they would let pass, and the host is not reached by it', async () => {
    const service = await Consumer.listen('127.0.0.1');
    try {
      await withBed(async ({ guest, cast, control }) => {
        await control.setPolicy(policyFor(cast, { audit: true, generation: 2n }));
        guest.send(fromGuest(cast, { udp: { destinationPort: service.endpoint.port } }), fromGuest(cast));
        await guest.frame();
        await control.setPolicy(policyFor(cast, { mode: Mode.sampled, samplePerMillion: 0, generation: 3n }));
        guest.send(fromGuest(cast, { ip: { destination: STRANGER.address } }), fromGuest(cast));
        await guest.frame(1);
        const counters = await control.counters();
        expect(byReason(counters)).toMatchObject({
          'from-vm DestinationPort audited': 1,
          'from-vm AllowedUnsampled': 2,
        });
        expect(counters.engine.not_carried).toBe(2n);
        expect(service.received).toEqual([]);
      });
    } finally {
      service.close();
    }
  });
});

describe('vmn-nat under a changing policy', () => {
  test('[FN-4] the consumer moves: the new one is reached, the old one refused at once, from the same port', async () => {
    const next = await Consumer.listen();
    try {
      await withBed(async ({ guest, consumer, cast, control }) => {
        guest.send(fromGuest(cast));
        const { from } = await consumer.datagram();
        await guest.frame();
        const moved = { ...cast, endpoint: next.endpoint };
        expect(await control.setPolicy(policyFor(moved, { generation: 2n }))).toMatchObject({
          generation: 2n,
          flows: 0,
        });
        consumer.send(pattern(5), from);
        guest.send(fromGuest(cast), fromGuest(moved, { udp: { payload: pattern(6) } }));
        expect(await guest.frame(1)).toEqual(replyFrame(moved, pattern(6), GUEST_PORT));
        expect(consumer.received).toHaveLength(1);
        expect(byReason(await control.counters())).toMatchObject({ 'from-vm DestinationPort': 1 });
      });
    } finally {
      next.close();
    }
  });

  test('[FN-4] within its grace the old consumer is still spoken to, after it no more', async () => {
    const next = await Consumer.listen();
    try {
      await withBed(async ({ guest, consumer, cast, control }) => {
        const moved = { ...cast, endpoint: next.endpoint };
        const graceOf = (ns: bigint, generation: bigint): Uint8Array =>
          policyFor(moved, {
            previous: { ...cast.endpoint, untilNs: process.hrtime.bigint() + ns },
            generation,
          });
        await control.setPolicy(graceOf(60_000_000_000n, 2n));
        guest.send(fromGuest(cast));
        const { from } = await consumer.datagram();
        await guest.frame();
        await control.setPolicy(graceOf(0n, 3n));
        consumer.send(pattern(5), from);
        guest.send(fromGuest(cast), fromGuest(moved));
        expect(await guest.frame(1)).toEqual(replyFrame(moved, (await next.datagram()).payload, GUEST_PORT));
        expect(byReason(await control.counters())).toMatchObject({
          'from-vm AllowedPreviousEndpoint': 1,
          'from-vm PreviousEndpointExpired': 1,
        });
      });
    } finally {
      next.close();
    }
  });

  test('[UF-3] once a grace has run out, what the old consumer still sends is dropped by the filter too', async () => {
    const next = await Consumer.listen();
    try {
      await withBed(async ({ guest, consumer, cast, control }) => {
        const untilNs = process.hrtime.bigint() + 1_500_000_000n;
        const previous = { ...cast.endpoint, untilNs };
        await control.setPolicy(policyFor({ endpoint: next.endpoint }, { previous, generation: 2n }));
        guest.send(fromGuest(cast));
        const { from } = await consumer.datagram();
        await guest.frame(); // its socket is open, and stays so
        await poll('the end of the grace', () => process.hrtime.bigint() > untilNs);
        consumer.send(pattern(5), from);
        await poll(
          'the drop',
          async () => byReason(await control.counters())['to-vm PreviousEndpointExpired'] === 1,
        );
        expect(guest.frames).toHaveLength(1);
      });
    } finally {
      next.close();
    }
  });

  test('limits hold, and strict lets WireGuard alone through', async () => {
    await withBed(async ({ guest, consumer, cast, control }) => {
      await control.setPolicy(policyFor(cast, { strict: true, packetsPerSecond: 20 }));
      guest.send(
        ...Array.from({ length: 50 }, () => fromGuest(cast)),
        fromGuest(cast, { udp: { payload: pattern(33) } }),
      );
      const reasons = await poll('all of them to be judged', async () => {
        const counted = byReason(await control.counters());
        return counted['from-vm NotWireGuard'] === 1 ? counted : null;
      });
      expect(reasons['from-vm PacketRate']).toBeGreaterThanOrEqual(48);
      expect(consumer.received.length).toBeLessThanOrEqual(2);
    });
  });
});
