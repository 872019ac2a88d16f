import { beforeEach, describe, expect, test } from '@jest/globals';
import { claimOf, ensureClosedTap, isClaimAlive } from '../../../src/agent/wiring/closed-tap.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { ModelHost, PATHS } from './support/model-host.ts';
import { Crash } from './support/model-kernel.ts';

const { tap } = identityOf('vm-a');

describe('a closed tap', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });

  const isClosed = (): boolean => {
    const link = host.kernel.byName(tap);
    const { from, to } = host.kernel.attached(link?.ifindex ?? 0);
    return from?.program.slot.policy === null && to?.program.slot.policy === null;
  };

  test('is made: recorded, persistent, down, both programs, no policy', () => {
    const record = ensureClosedTap('vm-a', PATHS, host.ports());
    expect(record).toMatchObject({
      vm: 'vm-a',
      tap,
      guestMac: identityOf('vm-a').guestMac,
      network: null,
      claim: null,
    });
    expect(host.kernel.byName(tap)).toMatchObject({ persistent: true, up: false, mtu: 1500 });
    expect(isClosed()).toBe(true);
  });

  test('made again is the same one; a claim is noted', () => {
    const first = ensureClosedTap('vm-a', PATHS, host.ports());
    host.kernel.processes.set(7, '42');
    const second = ensureClosedTap('vm-a', PATHS, host.ports(), claimOf(host.kernel, 7));
    expect(second).toEqual({ ...first, claim: { pid: 7, startTicks: '42' } });
    expect(isClaimAlive(host.kernel, second.claim)).toBe(true);
    host.kernel.processes.delete(7);
    expect(isClaimAlive(host.kernel, second.claim)).toBe(false);
    expect(claimOf(host.kernel, 8)).toBeNull();
  });

  test('killed before any step, it is closed or not there, and the next try completes it', () => {
    for (let at = 1; ; at += 1) {
      host = new ModelHost();
      host.kernel.crashIn(at);
      try {
        ensureClosedTap('vm-a', PATHS, host.ports());
        return expect(at).toBeGreaterThan(10);
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
      }
      expect(host.kernel.byName(tap) === undefined || isClosed()).toBe(true);
      host.restart();
      ensureClosedTap('vm-a', PATHS, host.ports());
      expect(isClosed()).toBe(true);
    }
  });

  test('failing at any step, it leaves no tap behind that is not closed, and no record without a tap', () => {
    for (let at = 1; ; at += 1) {
      host = new ModelHost();
      host.kernel.failIn(at);
      try {
        ensureClosedTap('vm-a', PATHS, host.ports());
        return expect(at).toBeGreaterThan(10);
      } catch {
        expect(host.kernel.byName(tap) === undefined || isClosed()).toBe(true);
        expect(host.records.states.has(tap)).toBe(host.kernel.byName(tap) !== undefined);
      }
    }
  });

  test('that cannot be made again keeps the record of its VM: the guest has that address', () => {
    const record = ensureClosedTap('vm-a', PATHS, host.ports());
    host.kernel.deleteLink(host.kernel.byName(tap)?.ifindex ?? 0);
    host.kernel.failIn(8);
    expect(() => ensureClosedTap('vm-a', PATHS, host.ports())).toThrow();
    expect(host.records.states.get(tap)).toEqual({ state: 'ok', record });
  });

  test('robbed of a program while up, it is set down and closed', () => {
    ensureClosedTap('vm-a', PATHS, host.ports());
    host.kernel.setLink(host.kernel.byName(tap)?.ifindex ?? 0, { up: true });
    host.kernel.rob(tap, 'to');
    ensureClosedTap('vm-a', PATHS, host.ports());
    expect([host.kernel.byName(tap)?.up, isClosed()]).toEqual([false, true]);
  });

  test("somebody else's interface is refused and no record is made", () => {
    host.kernel.addForeignLink(tap, 'vmnetwork:another');
    expect(() => ensureClosedTap('vm-a', PATHS, host.ports())).toThrow(
      expect.objectContaining({ code: 'VMN_TAP_NOT_OURS' }),
    );
    expect(host.records.states.size).toBe(0);
  });

  test('an unreadable record is refused, and nothing is allocated anew', () => {
    host.damageRecord('vm-a');
    expect(() => ensureClosedTap('vm-a', PATHS, host.ports())).toThrow(
      expect.objectContaining({ code: 'VMN_STATE_UNREADABLE' }),
    );
    expect(host.kernel.byName(tap)).toBeUndefined();
  });

  test('a tap whose record is lost is refused', () => {
    ensureClosedTap('vm-a', PATHS, host.ports());
    host.records.states.clear();
    expect(() => ensureClosedTap('vm-a', PATHS, host.ports())).toThrow(
      expect.objectContaining({
        code: 'VMN_STATE_UNREADABLE',
        remedy: expect.stringContaining('Stop the VM'),
      }),
    );
  });

  test('two VMs never get one address', () => {
    const vms = Array.from({ length: 20 }, (_, index) => `vm-${index}`);
    const addresses = vms.map((vm) => ensureClosedTap(vm, PATHS, host.ports()).guestAddress);
    expect(new Set(addresses).size).toBe(vms.length);
  });
});
