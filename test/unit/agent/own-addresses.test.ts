import { beforeEach, describe, expect, test } from '@jest/globals';
import { OwnAddresses, withOwnDenied } from '../../../src/agent/attachment/own-addresses.ts';
import { parseOwnNetworks } from '../../../src/agent/host/proc-fib.ts';
import { vmNetworkClassSchema } from '../../../src/api/v1alpha1/index.ts';
import type { PolicyIntent } from '../../../src/controller/vmnetwork/plan.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { manifests, ModelHost, policyOf, resultOf } from './support/model-host.ts';

const POOL = '100.64.0.0/16';
const only = (address: string) => ({ first: address, last: address });
const kernelOf = (...networks: string[]) => ({ ownNetworks: () => networks });
const failing = {
  ownNetworks: (): string[] => {
    throw new VmnError('VMN_NETLINK', { attempted: 'list the addresses of the host' });
  },
};

test('what a host takes for itself is read from /proc/net/fib_trie', () => {
  const text = `Id 100:
  |-- 0.0.0.0
     /0 host LOCAL
Id 77:
  |-- 203.0.113.9
     /32 host LOCAL
Main:
  +-- 0.0.0.0/0 2 0 2
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /32 link BROADCAST
           /24 link UNICAST
        |-- 192.0.2.9
           /32 universe UNREACHABLE
Local:
  +-- 0.0.0.0/0 2 0 2
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL tos=16
     |-- 192.0.2.255
        /32 link BROADCAST
     |-- 198.18.0.0
        /15 host LOCAL
`;
  expect(parseOwnNetworks(text)).toEqual([
    '203.0.113.9/32',
    '192.0.2.0/32',
    '127.0.0.0/8',
    '192.0.2.2/32',
    '192.0.2.255/32',
    '198.18.0.0/15',
  ]);
  expect(parseOwnNetworks('')).toEqual([]);
});

describe('own addresses', () => {
  test('are those of the host, too, where the tap is in another namespace', () => {
    const host = new OwnAddresses(kernelOf('192.0.2.2/32', '10.0.0.1/32'));
    const pod = new OwnAddresses(kernelOf('192.0.2.3/32', '10.0.0.1/32'), [host]);
    expect(pod.ranges()).toEqual([only('10.0.0.1'), { first: '192.0.2.2', last: '192.0.2.3' }]);
    expect(host.ranges()).toEqual([only('10.0.0.1'), only('192.0.2.2')]);
  });

  test('that cannot be told of either are not told', () => {
    const good = new OwnAddresses(kernelOf('192.0.2.2/32'));
    expect(new OwnAddresses(failing, [good]).ranges()).toContain('list the addresses');
    expect(new OwnAddresses(kernelOf(), [new OwnAddresses(failing)]).ranges()).toContain(
      'list the addresses',
    );
  });

  test('are asked once, and not unless something depends on them', () => {
    let asked = 0;
    const own = new OwnAddresses({ ownNetworks: () => (asked++, ['192.0.2.2/32']) });
    const filtered = { mode: 'Filtered' } as PolicyIntent;
    expect(withOwnDenied(filtered, own, POOL)).toBe(filtered);
    expect(asked).toBe(0);
    own.ranges();
    own.ranges();
    expect(asked).toBe(1);
  });
});

describe('in mode Direct', () => {
  const direct = (...denied: string[]): PolicyIntent =>
    ({ mode: 'Direct', denied: denied.map(only) }) as unknown as PolicyIntent;
  const own = (...networks: string[]): OwnAddresses => new OwnAddresses(kernelOf(...networks));
  /** So many that do not touch. */
  const apart = (count: number): string[] =>
    Array.from({ length: count }, (_, at) => `198.18.${String(at >> 7)}.${String((at & 127) * 2)}`);

  test('they are denied with what the class denies, and the guests', () => {
    expect(withOwnDenied(direct('10.0.0.1'), own('10.0.0.2/32', '192.0.2.0/30'), POOL)).toMatchObject({
      denied: [
        { first: '10.0.0.1', last: '10.0.0.2' },
        { first: '100.64.0.0', last: '100.64.255.255' },
        { first: '192.0.2.0', last: '192.0.2.3' },
      ],
    });
  });

  test('nothing passes where they cannot be told, or where the filter cannot hold them', () => {
    expect(withOwnDenied(direct('10.0.0.1'), new OwnAddresses(failing), POOL)).toContain(
      'could not be listed',
    );
    // One is for the guests, and one for the host.
    expect(withOwnDenied(direct(...apart(510)), own('192.0.2.2/32'), POOL)).toMatchObject({ mode: 'Direct' });
    expect(withOwnDenied(direct(...apart(511)), own('192.0.2.2/32'), POOL)).toMatch(
      /513 ranges .* holds 512/,
    );
    // Among what is denied already.
    expect(withOwnDenied(direct(...apart(511)), own('198.18.0.0/32'), POOL)).toMatchObject({
      mode: 'Direct',
    });
  });

  describe('a pass', () => {
    let host: ModelHost;
    const classes = [
      vmNetworkClassSchema.parse({
        apiVersion: 'vmnetwork.io/v1alpha1',
        kind: 'VMNetworkClass',
        metadata: { name: 'default' },
        spec: { allowedModes: ['Direct', 'Filtered'] },
      }),
    ];
    const wishes = manifests({ 'vm-a': { mode: 'Direct', consumerEndpoint: undefined } }, { classes });
    const inForce = () => policyOf(host, 'vm-a');
    beforeEach(() => {
      host = new ModelHost();
    });

    test('denies them, and those that come, and no more those that went', async () => {
      await host.pass(wishes);
      const before = inForce();
      expect(before?.denied).toContainEqual(only('192.0.2.99'));
      await host.pass(wishes);
      expect(inForce()).toEqual(before);
      host.kernel.own.delete('192.0.2.99/32');
      host.kernel.own.add('192.0.2.7/32');
      expect(resultOf(await host.pass(wishes), 'vm-a').verified).toBe(true);
      expect(inForce()?.denied).toContainEqual(only('192.0.2.7'));
      expect(inForce()?.denied).not.toContainEqual(only('192.0.2.99'));
    });

    test('that cannot ask for them denies everything, and asks again', async () => {
      await host.pass(wishes);
      host.kernel.ownNetworks = failing.ownNetworks;
      expect(resultOf(await host.pass(wishes), 'vm-a').desired).toMatchObject({
        want: 'deny',
        reason: expect.stringContaining('could not be listed'),
      });
      expect(inForce()).toBeNull();
      Reflect.deleteProperty(host.kernel, 'ownNetworks');
      await host.pass(wishes);
      expect(inForce()?.mode).toBe('Direct');
    });
  });
});
