import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { NatControl } from '../../src/native/nat-control.ts';
import { fromGuest, GUEST_PORT } from '../support/frames/cast.ts';
import { concat, pattern, u32 } from '../support/frames/index.ts';
import { poll } from '../support/lab/poll.ts';
import { byReason, replyFrame, withBed, type Bed } from '../support/nat/bed.ts';
import { prefixed } from '../support/nat/guest-end.ts';

// What a guest, or whoever holds its socket, can do to the stream. The engine is the one with sanitizers, unless its process is
// looked at.

const sanitized = { program: 'vmn_nat_sanitized' } as const;

async function countOf(control: NatControl, reason: string): Promise<number> {
  return byReason(await control.counters())[reason] ?? 0;
}

/** The next valid datagram goes there and back. */
async function serves({ guest, cast }: Bed, payload = pattern(77)): Promise<void> {
  const seen = guest.frames.length;
  guest.send(fromGuest(cast, { udp: { payload } }));
  expect(await guest.frame(seen)).toEqual(replyFrame(cast, payload, GUEST_PORT));
}

describe('frames on a stream', () => {
  test('[FN-5] split at every byte, two frames arrive as two', async () => {
    await withBed(async ({ guest, consumer, cast }) => {
      const stream = concat(
        prefixed(fromGuest(cast, { udp: { payload: pattern(9) } })),
        prefixed(fromGuest(cast, { udp: { payload: pattern(10) } })),
      );
      for (let at = 1; at < stream.length; at += 1) {
        guest.socket.write(stream.subarray(0, at));
        await pause(1); // so that the engine reads the first part by itself
        guest.socket.write(stream.subarray(at));
        const seen = 2 * (at - 1);
        expect((await consumer.datagram(seen)).payload).toEqual(pattern(9));
        expect((await consumer.datagram(seen + 1)).payload).toEqual(pattern(10));
        await guest.frame(seen + 1);
      }
      expect(guest.frames).toHaveLength(2 * (stream.length - 1));
    }, sanitized);
  });

  test('[FN-5] empty frames, frames of one byte and of the largest length are judged, and the stream goes on', async () => {
    await withBed(async (bed) => {
      bed.guest.send(new Uint8Array(), Uint8Array.of(1), new Uint8Array(65536), new Uint8Array(65549));
      await serves(bed);
      expect(byReason(await bed.control.counters())).toMatchObject({
        'from-vm FrameTooShort': 2,
        'from-vm SourceMac': 2,
      });
    }, sanitized);
  });

  for (const length of [65550, 0x7fffffff, 0xffffffff]) {
    test(`[FN-5] a length of ${length} ends the stream, and the next one is served`, async () => {
      await withBed(async (bed) => {
        bed.guest.socket.write(concat(prefixed(fromGuest(bed.cast)), u32(length), pattern(100)));
        await bed.guest.ended();
        expect((await bed.control.counters()).engine).toMatchObject({
          stream_broken: 1n,
          guest_left: 1n,
          sent: 1n,
        });
        await serves({ ...bed, guest: await bed.engine.guest() });
      }, sanitized);
    });
  }

  test('a guest that half closes, in the middle of a frame, has left, and the next one is served', async () => {
    await withBed(async (bed) => {
      bed.guest.socket.end(prefixed(fromGuest(bed.cast)).subarray(0, 20));
      await bed.guest.ended();
      await serves({ ...bed, guest: await bed.engine.guest() });
      expect(await countOf(bed.control, 'from-vm FrameTooShort')).toBe(0);
    }, sanitized);
  });

  test('a second one waits until the first has left', async () => {
    await withBed(async (bed) => {
      await serves(bed);
      const second = await bed.engine.guest();
      second.send(fromGuest(bed.cast));
      await serves(bed, pattern(5));
      expect(second.frames).toEqual([]);
      bed.guest.close();
      await second.frame();
    }, sanitized);
  });

  test('[FN-5] a million frames of garbage: valid ones are served in between, no memory or file is lost', async () => {
    await withBed(async (bed) => {
      const { engine, control, guest, cast } = bed;
      await serves(bed);
      const valid = fromGuest(cast);
      const garbage = concat(
        ...Array.from({ length: 1000 }, (_, i) => {
          const frame = Uint8Array.from(i % 2 === 0 ? valid : pattern(i % 90, i));
          if (i % 2 === 0) frame[(i / 2) % 34] = (frame[(i / 2) % 34] ?? 0) ^ (1 + (i % 255));
          return prefixed(frame);
        }),
      );
      const memory = (): number =>
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(engine.proc('status'), 'utf8'))?.[1]);
      const write = async (rounds: number): Promise<void> => {
        for (let i = 0; i < rounds; i += 1) {
          if (!guest.socket.write(garbage))
            await new Promise((drained) => guest.socket.once('drain', drained));
        }
      };
      const judged = async (): Promise<number> => Number((await control.status()).judged.fromVm);
      await write(100);
      await serves(bed, pattern(400));
      const before = { memory: memory(), files: readdirSync(engine.proc('fd')).length };
      await write(900);
      await poll('all of it to be judged', async () => (await judged()) >= 1_000_002, { deadlineMs: 40_000 });
      await serves(bed, pattern(401));
      // What it has from the start and had not touched yet; a single byte lost with each frame would be more.
      expect(memory() - before.memory).toBeLessThan(800);
      expect(readdirSync(engine.proc('fd')).length).toBe(before.files);
    });
  });
});

describe('a guest that never reads', () => {
  test('holds up its own replies alone, costs no time, and a policy still comes in force', async () => {
    await withBed(async (bed) => {
      const { engine, control, guest, consumer, cast } = bed;
      guest.send(fromGuest(cast, { udp: { payload: pattern(8) } }));
      await guest.frame();
      guest.socket.pause();
      const { from } = await consumer.datagram();
      const fed = setInterval(() => {
        for (let i = 0; i < 20; i += 1) consumer.send(pattern(8000), from);
      }, 2);
      try {
        await poll('the guest to be stuck', async () => {
          const delivered = (await control.counters()).engine.delivered;
          await pause(200);
          return (await control.counters()).engine.delivered === delivered;
        });
        const ticks = (): number => Number(readFileSync(engine.proc('stat'), 'utf8').split(' ')[13]);
        const began = ticks();
        await pause(500);
        expect(ticks() - began).toBeLessThanOrEqual(5); // of 50: it sleeps
      } finally {
        clearInterval(fed);
      }
      guest.send(fromGuest(cast, { udp: { payload: pattern(3) } }));
      await poll('the other direction', () =>
        consumer.received.some(({ payload }) => payload.byteLength === 3),
      );
      expect(await control.deny()).toMatchObject({ hasPolicy: false, flows: 0 });
      guest.socket.resume();
      guest.send(fromGuest(cast));
      await poll('the drop', async () => (await countOf(control, 'from-vm NoPolicy')) === 1);
      expect((await control.counters()).engine.guest_discarded).toBeGreaterThan(0n);
      // What had begun ended whole: the next frame is understood.
      expect(guest.frames.slice(1).every((frame) => frame.byteLength === 8042)).toBe(true);
    });
  });
});
