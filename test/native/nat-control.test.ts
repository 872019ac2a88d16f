import { readdirSync, readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import {
  encodeRequest,
  encodeSetPolicy,
  natPolicyHash,
  OPERATIONS,
} from '../../src/native/nat-control-abi.ts';
import { CAST, DIRECT, fromGuest } from '../support/frames/cast.ts';
import { pattern, patched } from '../support/frames/index.ts';
import { poll } from '../support/lab/poll.ts';
import { byReason, policyFor, withBed } from '../support/nat/bed.ts';
import { Engine } from '../support/nat/engine.ts';

const sanitized = { program: 'vmn_nat_sanitized' } as const;

function raw(path: string): Socket & { bytes: number } {
  const socket = Object.assign(createConnection({ path }), { bytes: 0 });
  socket.on('error', () => undefined); // what tests wait for is its end
  socket.on('data', (data) => (socket.bytes += data.length));
  return socket;
}

describe('the control socket of vmn-nat', () => {
  test('without a policy nothing passes, and what it says is read back', async () => {
    const engine = await Engine.start(sanitized);
    try {
      const control = await engine.control();
      expect(await control.status()).toMatchObject({
        hasPolicy: false,
        generation: 0n,
        policyHash: 0n,
        flows: 0,
      });
      await expect(control.readPolicy()).rejects.toMatchObject({ code: 'VMN_NAT_REFUSED' });
      await expect(control.quarantine()).rejects.toMatchObject({ code: 'VMN_NAT_REFUSED' });
      const guest = await engine.guest();
      guest.send(fromGuest(CAST));
      await poll('the drop', async () => byReason(await control.counters())['from-vm NoPolicy'] === 1);

      const policy = policyFor(CAST, { generation: 7n, secret: pattern(16, 1) });
      const status = await control.setPolicy(policy);
      expect(status).toMatchObject({ hasPolicy: true, generation: 7n, policyHash: natPolicyHash(policy) });
      expect(status.judged).toEqual({ fromVm: 0n, toVm: 0n }); // by this policy
      expect(await control.readPolicy()).toEqual(patched(policy, 64, Array<number>(16).fill(0)));
    } finally {
      await engine.stop();
    }
  });

  test('a policy that is not what its sender hashed, of another version or of mode Direct leaves the old one in force', async () => {
    await withBed(async ({ engine, control, guest, cast }) => {
      const next = policyFor(cast, { generation: 2n });
      const cut = encodeSetPolicy(next);
      cut.set([1], 8 + 40);
      const socket = raw(engine.controlPath);
      socket.write(encodeRequest(OPERATIONS.setPolicy, 1, cut));
      await poll('the refusal', () => socket.bytes === 20 + 56);
      for (const wrong of [
        policyFor(cast, { abi: 99 }),
        policyFor(cast, DIRECT),
        policyFor(cast, { mode: 9 }),
      ]) {
        await expect(control.setPolicy(wrong)).rejects.toMatchObject({ code: 'VMN_NAT_REFUSED' });
      }
      expect(await control.status()).toMatchObject({
        generation: 1n,
        policyHash: natPolicyHash(policyFor(cast)),
      });
      guest.send(fromGuest(cast));
      await guest.frame();
      socket.destroy();
    }, sanitized);
  });

  test('quarantine closes at once and shows in the policy that is read back; the next policy opens', async () => {
    await withBed(async ({ control, guest, consumer, cast }) => {
      guest.send(fromGuest(cast));
      const { from } = await consumer.datagram();
      await guest.frame();
      const status = await control.quarantine();
      expect(status).toMatchObject({ hasPolicy: true, generation: 1n, flows: 0 });
      expect(status.policyHash).toBe(natPolicyHash(policyFor(cast, { quarantined: true })));
      consumer.send(pattern(4), from);
      guest.send(fromGuest(cast));
      await poll('the drop', async () => byReason(await control.counters())['from-vm Quarantined'] === 1);
      expect(consumer.received).toHaveLength(1);
      await control.setPolicy(policyFor(cast, { generation: 2n }));
      guest.send(fromGuest(cast));
      await guest.frame(1);
    }, sanitized);
  });

  test('clients that stall, lie or leave in the middle hold up neither the frames nor the next client', async () => {
    await withBed(async ({ engine, control, guest, cast }) => {
      const whole = encodeRequest(
        OPERATIONS.setPolicy,
        1,
        encodeSetPolicy(policyFor(cast, { generation: 9n })),
      );
      const stalled = Array.from({ length: 6 }, () => raw(engine.controlPath));
      for (const socket of stalled) socket.write(whole.subarray(0, 1000));
      const liar = raw(engine.controlPath);
      liar.write(pattern(64));
      const huge = raw(engine.controlPath);
      huge.write(
        patched(encodeRequest(OPERATIONS.status, 1, new Uint8Array()), 16, [0xff, 0xff, 0xff, 0x7f]),
      );
      await poll('the end of both', () => liar.destroyed && huge.destroyed);
      guest.send(fromGuest(cast));
      await guest.frame();
      const later = await engine.control(); // the place of the one that was silent for longest
      expect(await later.status()).toMatchObject({ generation: 1n });
      const { engine: counts } = await later.counters();
      expect(counts.control_refused).toBe(2n);
      expect(counts.control_pushed_out).toBeGreaterThanOrEqual(3n);
      // Standard streams, epoll, two listeners, the guest, one flow, and as many clients as there are places.
      expect(readdirSync(engine.proc('fd')).length).toBeLessThanOrEqual(3 + 1 + 2 + 1 + 1 + 4);
      for (const socket of stalled) socket.destroy();
      control.close();
    }, sanitized);
  });

  test('a client that never reads its answers is not heard any more, and costs no time', async () => {
    await withBed(async ({ engine, guest, cast, control }) => {
      const deaf = createConnection({ path: engine.controlPath });
      deaf.on('error', () => undefined);
      deaf.pause();
      for (let i = 0; i < 2000; i += 1) deaf.write(encodeRequest(OPERATIONS.counters, i, new Uint8Array()));
      guest.send(fromGuest(cast));
      await guest.frame();
      expect(await control.status()).toMatchObject({ generation: 1n });
      deaf.destroy();
    }, sanitized);
  });

  test('requests of unknown kinds and of wrong sizes are refused, and the client is heard on', async () => {
    await withBed(async ({ engine }) => {
      const socket = raw(engine.controlPath);
      socket.write(encodeRequest(999, 1, new Uint8Array()));
      await poll('the first refusal', () => socket.bytes === 20);
      socket.write(encodeRequest(OPERATIONS.status, 2, pattern(3)));
      await poll('the second', () => socket.bytes === 40);
      socket.write(encodeRequest(OPERATIONS.status, 3, new Uint8Array()));
      await poll('an answer', () => socket.bytes === 40 + 76);
      socket.destroy();
    }, sanitized);
  });

  test('it goes on when whoever controls it has gone, and ends when told to quit', async () => {
    await withBed(async ({ engine, control, guest, cast }) => {
      control.close();
      guest.send(fromGuest(cast));
      await guest.frame();
      const next = await engine.control();
      expect((await next.status()).judged.fromVm).toBe(1n);
      await next.quit();
      expect(await engine.end()).toBe(0);
      await expect(next.status()).rejects.toMatchObject({ code: 'VMN_NAT_UNREACHABLE' });
    }, sanitized);
  });

  test('the folder of an engine that was killed serves the next one', async () => {
    const first = await Engine.start();
    try {
      first.process.kill('SIGKILL');
      await first.end();
      const again = new Engine({ folder: first.folder });
      try {
        expect(await (await again.control()).status()).toMatchObject({ hasPolicy: false });
        const third = new Engine({ folder: first.folder });
        expect(await third.end()).toBe(1); // a socket that somebody listens to is nobody else's
        expect(third.stderr).toContain('Address already in use');
      } finally {
        await again.stop();
      }
    } finally {
      await first.stop();
    }
  });
});

test('the names of what the engine counts are those of the header', async () => {
  const { ENGINE_COUNTS } = await import('../../src/native/nat-control-abi.ts');
  const header = readFileSync(new URL('../../native/include/vmn/nat_control.h', import.meta.url), 'utf8');
  const named = [...header.matchAll(/X\((\d+), [A-Z_]+, "(\w+)"\)/g)].map(([, number, name]) => [
    Number(number),
    name,
  ]);
  expect(named).toEqual(ENGINE_COUNTS.map((name, number) => [number, name]));
});
