import { describe, expect, test } from '@jest/globals';
import { arpAnswer, arpRequest, CAST, fromGuest, GUEST_PORT } from '../support/frames/cast.ts';
import { pattern } from '../support/frames/index.ts';
import { poll } from '../support/lab/poll.ts';
import { byReason, policyFor, replyFrame, withBed } from '../support/nat/bed.ts';
import { Consumer } from '../support/nat/consumer.ts';
import { withDgramEngine } from '../support/nat/dgram-engine.ts';

describe('a pair of datagram sockets (QEMU -netdev dgram)', () => {
  test('carries a frame a datagram, both ways; what is longer than any frame is cut by the kernel, and counted', async () => {
    const consumer = await Consumer.listen();
    try {
      await withDgramEngine(async ({ control, guest }) => {
        const cast = { ...CAST, endpoint: consumer.endpoint };
        guest.send(fromGuest(cast));
        await poll('the drop', async () => byReason(await control.counters())['from-vm NoPolicy'] === 1);
        await control.setPolicy(policyFor(cast));
        guest.send(arpRequest(cast));
        expect(await guest.frame()).toEqual(arpAnswer(cast));
        const payloads = [0, 1, 148, 1452, 9000].map((bytes) => pattern(bytes, bytes));
        for (const [index, payload] of payloads.entries()) {
          guest.send(fromGuest(cast, { udp: { payload } }));
          expect((await consumer.datagram(index)).payload).toEqual(payload);
          expect(await guest.frame(1 + index)).toEqual(replyFrame(cast, payload, GUEST_PORT));
        }
        guest.send(new Uint8Array(9217), fromGuest(cast, { udp: { payload: pattern(7) } }));
        expect(await guest.frame(6)).toEqual(replyFrame(cast, pattern(7), GUEST_PORT));
        expect((await control.counters()).engine.frame_cut).toBe(1n);
      });
    } finally {
      consumer.close();
    }
  });
});

describe('a host that takes everything in small pieces', () => {
  test('frames that are written to the stream byte by byte arrive whole', async () => {
    await withBed(
      async ({ guest, cast }) => {
        for (let bytes = 0; bytes < 40; bytes += 1) {
          guest.send(fromGuest(cast, { udp: { payload: pattern(bytes) } }));
          expect(await guest.frame(bytes)).toEqual(replyFrame(cast, pattern(bytes), GUEST_PORT));
        }
      },
      { program: 'vmn_nat_poor_host' },
    );
  });

  test('gets datagrams one by one where it cannot cut runs, all of them and for good', async () => {
    await withBed(
      async ({ guest, consumer, cast, control }) => {
        consumer.silent = true;
        expect((await control.status()).segments).toBe(true);
        const payloads = Array.from({ length: 50 }, (_, i) => pattern(600, i));
        for (const half of [0, 1]) {
          guest.send(...payloads.map((payload) => fromGuest(cast, { udp: { payload } })));
          await consumer.datagram(half * 50 + 49);
        }
        expect(consumer.received.map(({ payload }) => payload)).toEqual([...payloads, ...payloads]);
        expect((await control.status()).segments).toBe(false);
        expect((await control.counters()).engine).toMatchObject({
          segmenting_ended: 1n,
          sent: 100n,
          unreachable: 0n,
        });
      },
      { program: 'vmn_nat_poor_host' },
    );
  });
});
