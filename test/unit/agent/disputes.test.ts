import { beforeEach, describe, expect, test } from '@jest/globals';
import { VmnError } from '../../../src/lib/errors.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { decodePolicy } from '../../../src/native/policy-abi.ts';
import type { Policy } from '../../../src/native/policy-abi.ts';
import { manifests, ModelHost, resultOf } from './support/model-host.ts';

/** Two names whose 40 bits of SHA-256 are the same: found in half a second, so anybody can. */
const [FIRST, SECOND] = ['rental-002af21', 'rental-0056097'] as const;
const endpoint = (port: number): { consumerEndpoint: { address: string; port: number } } => ({
  consumerEndpoint: { address: '203.0.113.10', port },
});

/** Whoever disputes a VM, its tap or its place never gets more than was agreed. */
describe('disputes', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });

  const inForce = (tap: string): Policy | null => {
    const link = host.kernel.links().find(({ name, alias }) => name === tap || alias.endsWith(tap));
    const bytes = host.kernel.attached(link?.ifindex ?? 0).from?.program.slot.policy ?? null;
    return bytes === null ? null : decodePolicy(bytes);
  };

  test('the two names do lead to one tap', () => {
    expect(identityOf(FIRST).tap).toBe(identityOf(SECOND).tap);
  });

  test('a VM whose name leads to the tap of another does not get it, and both are told', async () => {
    const { tap } = identityOf(FIRST);
    await host.pass(manifests({ [FIRST]: endpoint(1) }));
    const both = await host.pass(manifests({ [FIRST]: endpoint(1), [SECOND]: endpoint(2) }));
    expect(inForce(tap)?.endpoint?.port).toBe(1);
    expect(both.problems.map(({ on, error }) => [on, error.code])).toEqual([[tap, 'VMN_TAP_NOT_OURS']]);
    // The first one's network is gone, its VM still holds the tap.
    host.kernel.openTap(tap);
    const after = await host.pass(manifests({ [SECOND]: endpoint(2) }));
    expect(inForce(tap)).toBeNull();
    expect(resultOf(after, SECOND)).toMatchObject({ policy: null });
  });

  test('of two such names that are new neither is served', async () => {
    const result = await host.pass(manifests({ [FIRST]: endpoint(1), [SECOND]: endpoint(2) }));
    expect(result.attachments).toMatchObject([{ desired: { want: 'deny' }, policy: null }]);
    expect(inForce(identityOf(FIRST).tap)).toBeNull();
  });

  test('a tap that was renamed under its VM is denied, for its manifest no longer reaches it', async () => {
    const { tap } = identityOf('vm-a');
    await host.pass(manifests({ 'vm-a': endpoint(1) }));
    host.kernel.openTap(tap);
    Object.assign(host.kernel.byName(tap) ?? {}, { name: 'foo0' });
    expect(host.kernel.links().map(({ name }) => name)).toContain('foo0');
    const result = await host.pass(manifests({ 'vm-a': endpoint(2) }));
    const link = host.kernel.links().find(({ name }) => name === 'foo0');
    expect(host.kernel.attached(link?.ifindex ?? 0).from?.program.slot.policy ?? null).toBeNull();
    expect(resultOf(result, 'vm-a').verified).toBe(false);
  });

  test('a network that cannot be noted as the new one does not get the VM of another', async () => {
    await host.pass(manifests({ 'vm-a': endpoint(1) }));
    const { tap } = identityOf('vm-a');
    const found = host.records.states.get(tap);
    if (found?.state !== 'ok') throw new Error('no record');
    host.records.states.set(tap, { state: 'ok', record: { ...found.record, network: 'default/another' } });
    host.records.write = () => {
      throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'write the record' });
    };
    await host.pass(manifests({ 'vm-a': endpoint(2) }));
    expect(inForce(tap)).toBeNull();
  });

  test('the last pins of all go under the state lock, for `vmnetctl run` may be about to pin beside them', async () => {
    await host.pass(manifests({ 'vm-a': endpoint(1) }));
    const held: number[] = [];
    const remove = host.kernel.removeSharedPins.bind(host.kernel);
    host.kernel.removeSharedPins = () => {
      held.push(host.locked);
      remove();
    };
    await host.pass(manifests({}));
    expect(held).toEqual([1]);
  });

  test('a crowd of new taps is made in slices, and whatever changes or closes comes before them', async () => {
    await host.pass(manifests({ 'vm-a': endpoint(1) }));
    const createTap = host.kernel.createTap.bind(host.kernel);
    host.kernel.createTap = (name) => {
      host.nowNs += 100_000_000n;
      return createTap(name);
    };
    const crowd = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`new-${index}`, {}]));
    const first = await host.pass(manifests({ ...crowd, 'vm-a': endpoint(2) }));
    expect(inForce(identityOf('vm-a').tap)?.endpoint?.port).toBe(2);
    const waiting = first.attachments.filter(({ unfinished }) => unfinished === true);
    expect(waiting.length).toBeGreaterThan(10);
    expect(waiting.map(({ verified }) => verified)).not.toContain(true);
    let passes = 0;
    for (let open = true; open; passes += 1) {
      const result = await host.pass(manifests({ ...crowd, 'vm-a': endpoint(2) }));
      open = result.attachments.some(({ unfinished }) => unfinished === true);
    }
    expect(passes).toBeLessThan(20);
    expect(inForce(identityOf('new-19').tap)).not.toBeNull();
  });

  test('where it takes long to look at the host, more of a crowd is made in one pass', async () => {
    const createTap = host.kernel.createTap.bind(host.kernel);
    const links = host.kernel.links.bind(host.kernel);
    host.kernel.createTap = (name) => {
      host.nowNs += 100_000_000n;
      return createTap(name);
    };
    const crowd = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`new-${index}`, {}]));
    const madeIn = async (): Promise<number> => {
      const before = host.kernel.links().length;
      await host.pass(manifests(crowd));
      return host.kernel.links().length - before;
    };
    expect(await madeIn()).toBeLessThan(5);
    host.kernel.links = () => {
      host.nowNs += 150_000_000n;
      return links();
    };
    expect(await madeIn()).toBeGreaterThan(5);
  });
});
