import { beforeEach, describe, expect, test } from '@jest/globals';
import type { PassResult } from '../../../src/agent/attachment/pass.ts';
import type { AttachmentResult } from '../../../src/agent/attachment/rounds.ts';
import { LockBusy } from '../../../src/agent/host/lock.ts';
import { cardKeyOf } from '../../../src/agent/wiring/card-key.ts';
import { claimOf, ensureClosedTap } from '../../../src/agent/wiring/closed-tap.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { decodePolicy } from '../../../src/native/policy-abi.ts';
import type { Policy } from '../../../src/native/policy-abi.ts';
import { manifests, ModelHost, PATHS, resultOf } from './support/model-host.ts';

const A = identityOf('vm-a').tap;
const A_PINS = `${PATHS.bpffs}/${A}`;
const ONE = manifests({ 'vm-a': {} });
const TWO = manifests({ 'vm-a': {}, 'vm-b': {} });
const NONE = manifests({});
const atPort = (port: number): Parameters<typeof manifests>[0][string] => ({
  consumerEndpoint: { address: '203.0.113.10', port },
});

/** What one pass makes of a host and the manifests, in cases that the property test meets only by luck. */
describe('a pass', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });

  const inForce = (vm = 'vm-a'): Policy | null => {
    const link = host.kernel.byName(identityOf(vm).tap);
    const bytes = host.kernel.attached(link?.ifindex ?? 0).from?.program.slot.policy ?? null;
    return bytes === null ? null : decodePolicy(bytes);
  };
  const forVm = (result: PassResult, vm = 'vm-a'): AttachmentResult => resultOf(result, vm);
  const kinds = (): string[] => host.changes.splice(0).map((change) => change.split(' ')[0] ?? '');

  test('from nothing to enforced: closed first, the policy before the link comes up', async () => {
    const result = await host.pass(ONE);
    expect(forVm(result)).toMatchObject({
      verified: true,
      error: null,
      policy: { endpoint: { port: 51900 } },
    });
    expect(kinds()).toEqual([
      'guard',
      'close-tap',
      'write-policy',
      'link-up',
      'add-route',
      'set-neighbour',
      'note-network',
      'forwarding',
    ]);
    const link = host.kernel.byName(A);
    expect(link).toMatchObject({ mac: '02:76:6d:6e:00:01', mtu: 1500, alias: 'vmnetwork:vm-a', up: true });
  });

  test('nothing new is nothing done', async () => {
    await host.pass(TWO);
    host.changes.splice(0);
    const writes = host.nft.table;
    await host.pass(TWO);
    expect(host.changes).toEqual([]);
    expect(host.nft.table).toBe(writes);
  });

  test('everything withdrawn: nothing of ours is left on the host', async () => {
    await host.pass(TWO);
    const result = await host.pass(NONE);
    expect(result.problems).toEqual([]);
    expect(host.kernel.links().map(({ name }) => name)).toEqual(['eth0']);
    expect([host.nft.table, host.kernel.sharedPins, host.records.states.size]).toEqual([null, false, 0]);
    expect(host.kernel.settings.get('net/ipv4/conf/eth0/forwarding')).toBe('0');
  });

  test('what somebody who holds the state lock keeps undone is told, and done in the pass that has it', async () => {
    await host.pass(ONE);
    await host.pass(NONE);
    const card = { vmId: 'vm-x', mac: '52:54:00:00:00:0a' };
    const key = cardKeyOf(card);
    const record = {
      version: 1,
      vm: card.vmId,
      tap: key,
      guestMac: card.mac,
      guestAddress: '100.64.0.9',
    } as const;
    host.records.write({ ...record, network: null, claim: null, createdAt: '2026-01-01T00:00:00.000Z' });
    host.kernel.sharedPins = true;
    const busy = { ...host.ports(), whenStateLockIsFree: () => Promise.reject(new LockBusy('held')) };
    const held = await host.pass(NONE, busy);
    expect([held.unfinished, held.problems]).toEqual([['records of cards', 'shared pins'], []]);
    expect([host.records.states.has(key), host.kernel.sharedPins]).toEqual([true, true]);
    expect((await host.pass(NONE)).unfinished).toEqual([]);
    expect([host.records.states.has(key), host.kernel.sharedPins]).toEqual([false, false]);
  });

  test('while a manifest is illegible nothing is removed, only denied', async () => {
    await host.pass(ONE);
    const result = await host.pass(manifests({}, { complete: false }));
    expect(forVm(result)).toMatchObject({ verified: true, desired: { want: 'deny' } });
    expect(inForce()).toBeNull();
    expect(host.kernel.byName(A)).toBeDefined();
  });

  test('a VM whose network became illegible is not handed to another network', async () => {
    await host.pass(manifests({ first: { selector: { names: ['vm-a'] }, ...atPort(1) } }));
    const second = { second: { selector: { names: ['vm-a'] }, ...atPort(2) } };
    const denied = forVm(await host.pass(manifests(second, { complete: false })));
    expect(denied.desired).toMatchObject({
      want: 'deny',
      reason: expect.stringContaining('t/first holds this VM'),
    });
    expect(inForce()).toBeNull();
    // Gone for good is another matter.
    await host.pass(manifests(second));
    expect(inForce()?.endpoint?.port).toBe(2);
  });

  describe('a failed change of policy', () => {
    const failAt = async (
      set: Parameters<ModelHost['pass']>[0],
      call: 'writePolicy',
    ): Promise<PassResult> => {
      const original = host.kernel[call].bind(host.kernel);
      host.kernel[call] = (pinDir, policy) => {
        if (policy !== null) throw new VmnError('VMN_BPF_MAP', { attempted: 'write the policy' });
        original(pinDir, policy);
      };
      const result = await host.pass(set);
      host.kernel[call] = original;
      return result;
    };

    test('of the same network: the old policy is intact, and it is said', async () => {
      await host.pass(manifests({ 'vm-a': atPort(1) }));
      const result = await failAt(manifests({ 'vm-a': atPort(2) }), 'writePolicy');
      expect(forVm(result)).toMatchObject({ verified: false, error: { code: 'VMN_BPF_MAP' } });
      expect(inForce()?.endpoint?.port).toBe(1);
    });

    test("of another network: the old one's policy does not stay", async () => {
      await host.pass(manifests({ one: { selector: { names: ['vm-a'] }, ...atPort(1) } }));
      await failAt(manifests({ two: { selector: { names: ['vm-a'] }, ...atPort(2) } }), 'writePolicy');
      expect(inForce()).toBeNull();
    });

    test('to a quarantine: denied', async () => {
      await host.pass(ONE);
      await failAt(manifests({ 'vm-a': { desiredState: 'Quarantined' } }), 'writePolicy');
      expect(inForce()).toBeNull();
    });

    test('is retried with growing pauses, and at once when something else is wanted', async () => {
      await host.pass(manifests({ 'vm-a': atPort(1) }));
      const moved = manifests({ 'vm-a': atPort(2) });
      await failAt(moved, 'writePolicy');
      host.advance(400);
      expect(forVm(await host.pass(moved)).error?.code).toBe('VMN_BPF_MAP');
      expect(inForce()?.endpoint?.port).toBe(1);
      host.advance(200);
      expect(forVm(await host.pass(moved)).verified).toBe(true);
      await failAt(manifests({ 'vm-a': atPort(3) }), 'writePolicy');
      await host.pass(manifests({ 'vm-a': atPort(4) }));
      expect(inForce()?.endpoint?.port).toBe(4);
    });

    test('does not touch the other VM', async () => {
      await host.pass(TWO);
      const result = await failAt(manifests({ 'vm-a': atPort(2), 'vm-b': {} }), 'writePolicy');
      expect(forVm(result, 'vm-b').verified).toBe(true);
      expect(inForce('vm-b')).not.toBeNull();
    });
  });

  test('denial that cannot be written sets the tap down', async () => {
    await host.pass(ONE);
    host.kernel.writePolicy = () => {
      throw new VmnError('VMN_BPF_MAP', { attempted: 'write the policy' });
    };
    const held = host.kernel.byName(A);
    if (held !== undefined) held.heldByQemu = true;
    const result = await host.pass(NONE);
    expect(forVm(result).error?.code).toBe('VMN_BPF_MAP');
    expect(host.kernel.byName(A)?.up).toBe(false);
  });

  test('a VM that is held back after an error is still closed when somebody robs it', async () => {
    await host.pass(ONE);
    const replaceFilter = host.kernel.replaceFilter.bind(host.kernel);
    host.kernel.replaceFilter = () => {
      throw new VmnError('VMN_BPF_LOAD', { attempted: 'load' });
    };
    host.kernel.rob(A, 'from');
    await host.pass(ONE);
    host.kernel.setLink(host.kernel.byName(A)?.ifindex ?? 0, { up: true });
    const result = await host.pass(ONE);
    expect(forVm(result).error?.code).toBe('VMN_BPF_LOAD');
    expect(host.kernel.byName(A)?.up).toBe(false);
    host.kernel.replaceFilter = replaceFilter;
    host.advance(1000);
    expect(forVm(await host.pass(ONE)).verified).toBe(true);
  });

  test('programs that judge by something the pins do not show are replaced', async () => {
    await host.pass(ONE);
    const pins = host.kernel.pins.get(A_PINS);
    if (pins !== undefined) pins.slot = { policy: null };
    kinds();
    expect(forVm(await host.pass(ONE)).verified).toBe(true);
    expect(kinds()).toEqual(['replace-filter']);
  });

  test('programs of another build are replaced with the wanted policy in place, and the links stay', async () => {
    await host.pass(ONE);
    const before = host.kernel.attached(host.kernel.byName(A)?.ifindex ?? 0).from?.id;
    host.kernel.tag = 'next';
    kinds();
    expect(forVm(await host.pass(manifests({ 'vm-a': atPort(7) }))).verified).toBe(true);
    expect(kinds()).toEqual(['replace-filter']);
    expect(inForce()?.endpoint?.port).toBe(7);
    expect(host.kernel.attached(host.kernel.byName(A)?.ifindex ?? 0).from?.id).toBe(before);
  });

  describe('records', () => {
    test('unreadable: closed, an error, and nobody else gets the address', async () => {
      await host.pass(ONE);
      const address = inForce()?.guestAddress;
      host.damageRecord('vm-a');
      const result = await host.pass(TWO);
      expect(forVm(result).error?.code).toBe('VMN_STATE_UNREADABLE');
      expect(inForce()).toBeNull();
      expect(forVm(result, 'vm-b').verified).toBe(true);
      expect(inForce('vm-b')?.guestAddress).not.toBe(address);
    });

    test('unreadable, under programs of another build: closed by our own', async () => {
      await host.pass(ONE);
      host.kernel.tag = 'next';
      host.damageRecord('vm-a');
      kinds();
      expect(forVm(await host.pass(ONE)).error?.code).toBe('VMN_STATE_UNREADABLE');
      expect(kinds()).toEqual(['replace-filter', 'forwarding']);
      expect(inForce()).toBeNull();
      await host.pass(ONE);
      expect(kinds()).toEqual([]);
    });

    test('lost while the VM runs: closed, an error; once it has ended, made anew', async () => {
      await host.pass(ONE);
      const link = host.kernel.byName(A);
      if (link !== undefined) link.heldByQemu = true;
      host.records.states.clear();
      const running = await host.pass(ONE);
      expect(forVm(running).error?.code).toBe('VMN_STATE_UNREADABLE');
      expect(inForce()).toBeNull();
      if (link !== undefined) link.heldByQemu = false;
      expect(forVm(await host.pass(ONE)).verified).toBe(true);
    });

    test('the folder cannot be read: everybody is closed and nothing is removed', async () => {
      await host.pass(TWO);
      host.records.list = () => {
        throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'list the records' });
      };
      const result = await host.pass(TWO);
      expect(result.problems.map(({ on }) => on)).toEqual(['/state']);
      expect([inForce('vm-a'), inForce('vm-b')]).toEqual([null, null]);
      expect(host.kernel.byName(A)).toBeDefined();
    });

    test('two with one address: the older keeps it', async () => {
      await host.pass(TWO);
      const a = host.records.read(A);
      const b = host.records.read(identityOf('vm-b').tap);
      if (a.state !== 'ok' || b.state !== 'ok') throw new Error('no records');
      host.records.write({
        ...b.record,
        guestAddress: a.record.guestAddress,
        createdAt: '2999-01-01T00:00:00.000Z',
      });
      const result = await host.pass(TWO);
      expect(forVm(result, 'vm-a').verified).toBe(true);
      expect(forVm(result, 'vm-b').desired).toMatchObject({
        want: 'deny',
        reason: expect.stringContaining('vm-a'),
      });
      expect(inForce('vm-b')).toBeNull();
    });
  });

  test('an exhausted pool stops only the VM that found it so', async () => {
    const ports = host.ports();
    ensureClosedTap('vm-a', { ...PATHS, pool: '100.64.0.8/32' }, ports);
    const small = { ...ports, paths: { ...PATHS, pool: '100.64.0.8/32' } };
    const result = await host.pass(TWO, small);
    expect(forVm(result, 'vm-a').verified).toBe(true);
    expect(forVm(result, 'vm-b').error?.code).toBe('VMN_POOL_EXHAUSTED');
  });

  test('a pool that overlaps a route of the host is a problem', async () => {
    host.kernel.foreignRoutes = () => [{ destination: '100.64.0.128', prefixLength: 25, ifindex: 3 }];
    const result = await host.pass(ONE);
    expect(result.problems.map(({ error }) => error.message)).toEqual([
      expect.stringContaining("overlaps the host's route 100.64.0.128/25"),
    ]);
  });

  test.each([
    ['192.0.2.99', 'is an address of this host'],
    ['100.64.0.77', 'lies in the pool of guest addresses'],
  ])('an endpoint that no guest may have (%s) is refused', async (address, why) => {
    const result = await host.pass(manifests({ 'vm-a': { consumerEndpoint: { address, port: 1 } } }));
    expect(forVm(result).desired).toMatchObject({ want: 'deny', reason: expect.stringContaining(why) });
    expect(inForce()).toBeNull();
  });

  describe('a tap that is not wanted any more', () => {
    test('stays closed while the process that claimed it lives', async () => {
      host.kernel.processes.set(77, '1234');
      ensureClosedTap('vm-a', PATHS, host.ports(), claimOf(host.kernel, 77));
      const waiting = forVm(await host.pass(NONE));
      expect(waiting).toMatchObject({ verified: true, inUse: true });
      expect(host.kernel.byName(A)).toBeDefined();
      // The pid lives on as another process.
      host.kernel.processes.set(77, '9999');
      await host.pass(NONE);
      expect(host.kernel.byName(A)).toBeUndefined();
    });

    test('stays when QEMU holds it although it is down, closed and ready', async () => {
      await host.pass(ONE);
      const link = host.kernel.byName(A);
      if (link === undefined) throw new Error('no tap');
      Object.assign(link, { heldByQemu: true, up: false });
      const result = forVm(await host.pass(NONE));
      expect(result).toMatchObject({ error: null, verified: true, inUse: true });
      expect([host.kernel.byName(A), link.up, inForce(), host.records.states.size]).toEqual([
        link,
        true,
        null,
        1,
      ]);
    });
  });

  test('an interface of that name that is not ours is left alone', async () => {
    host.kernel.addForeignLink(A);
    const before = { ...host.kernel.byName(A) };
    const result = await host.pass(TWO);
    expect(forVm(result).error?.code).toBe('VMN_TAP_NOT_OURS');
    expect(host.kernel.byName(A)).toEqual(before);
    expect(forVm(result, 'vm-b').verified).toBe(true);
  });

  test('a tap of ours that lost its alias is closed, and otherwise left alone', async () => {
    await host.pass(ONE);
    const link = host.kernel.byName(A);
    if (link !== undefined) link.alias = 'renamed by somebody';
    host.changes.splice(0);
    const result = forVm(await host.pass(ONE));
    expect(result.error?.code).toBe('VMN_TAP_NOT_OURS');
    expect(host.changes).toEqual([`write-policy deny-all ${A}`, 'forwarding off eth0']);
    await host.pass(NONE);
    expect(host.kernel.byName(A)).toBe(link);
  });

  test('a guest address outside of the pool of today is denied, not routed untranslated', async () => {
    await host.pass(ONE);
    const moved = { ...host.ports(), paths: { ...PATHS, pool: '100.99.0.0/24' } };
    const result = forVm(await host.pass(ONE, moved));
    expect(result.desired).toMatchObject({
      want: 'deny',
      reason: expect.stringContaining('outside the pool'),
    });
    expect(inForce()).toBeNull();
  });

  test('what does not stay as written ends as an error, not as a loop', async () => {
    host.kernel.setNeighbour = () => undefined;
    const result = forVm(await host.pass(ONE));
    expect(result).toMatchObject({ verified: false, error: { code: 'VMN_READ_BACK' } });
    expect(result.error?.message).toContain('set-neighbour');
  });

  test('a denial does not wait for the making of other taps', async () => {
    await host.pass(manifests({ 'vm-z': {} }));
    host.changes.splice(0);
    await host.pass(manifests({ 'vm-a': {}, 'vm-b': {} }, { complete: false }));
    expect(kinds().slice(0, 3)).toEqual(['write-policy', 'close-tap', 'close-tap']);
  });

  test('an attachment that cannot be read back is an error of its own', async () => {
    await host.pass(TWO);
    const readBack = host.kernel.readBack.bind(host.kernel);
    host.kernel.readBack = (pinDir) => {
      if (pinDir === A_PINS) throw new VmnError('VMN_READ_BACK', { attempted: 'read back' });
      return readBack(pinDir);
    };
    const result = await host.pass(TWO);
    expect(forVm(result)).toMatchObject({
      verified: false,
      observed: null,
      error: { code: 'VMN_READ_BACK' },
    });
    expect(forVm(result, 'vm-b').verified).toBe(true);
  });
});
