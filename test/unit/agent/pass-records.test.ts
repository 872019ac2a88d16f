import { beforeEach, describe, expect, test } from '@jest/globals';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { manifests, ModelHost, policyOf, resultOf } from './support/model-host.ts';

const A = identityOf('vm-a').tap;
const ONE = manifests({ 'vm-a': {} });
const TWO = manifests({ 'vm-a': {}, 'vm-b': {} });

describe('a record that is', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });

  const inForce = (vm = 'vm-a') => policyOf(host, vm);
  const kinds = (): string[] => host.changes.splice(0).map((change) => change.split(' ')[0] ?? '');

  test('unreadable: closed, an error, and nobody else gets the address', async () => {
    await host.pass(ONE);
    const address = inForce()?.guestAddress;
    host.damageRecord('vm-a');
    const result = await host.pass(TWO);
    expect(resultOf(result, 'vm-a').error?.code).toBe('VMN_STATE_UNREADABLE');
    expect(inForce()).toBeNull();
    expect(resultOf(result, 'vm-b').verified).toBe(true);
    expect(inForce('vm-b')?.guestAddress).not.toBe(address);
  });

  test('unreadable, under programs of another build: closed by our own', async () => {
    await host.pass(ONE);
    host.kernel.tag = 'next';
    host.damageRecord('vm-a');
    kinds();
    expect(resultOf(await host.pass(ONE), 'vm-a').error?.code).toBe('VMN_STATE_UNREADABLE');
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
    expect(resultOf(running, 'vm-a').error?.code).toBe('VMN_STATE_UNREADABLE');
    expect(inForce()).toBeNull();
    if (link !== undefined) link.heldByQemu = false;
    expect(resultOf(await host.pass(ONE), 'vm-a').verified).toBe(true);
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
    expect(resultOf(result, 'vm-a').verified).toBe(true);
    expect(resultOf(result, 'vm-b').desired).toMatchObject({
      want: 'deny',
      reason: expect.stringContaining('vm-a'),
    });
    expect(inForce('vm-b')).toBeNull();
  });
});
