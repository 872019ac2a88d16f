import { describe, expect, test } from '@jest/globals';
import { resolvedPolicySchema } from '../../../../src/api/v1alpha1/resolved-policy.ts';
import { vmNetworkSpecSchema } from '../../../../src/api/v1alpha1/vm-network-spec.ts';
import { parseGuest } from '../../../../src/cloudinit/documents/guest.ts';
import { guestFiles } from '../../../../src/cloudinit/documents/guest-files/all.ts';
import { seedDocuments } from '../../../../src/cloudinit/documents/seed-documents.ts';
import { deliveryOf, guestInput, hasTunnel } from '../../../../src/cloudinit/mapping/guest-input.ts';
import { newKey, PEER_KEY, PRESHARED_KEY, PRIVATE_KEY } from '../../../support/cloud-init/guests.ts';

const consumerEndpoint = { address: '203.0.113.10', port: 51900 };
const wireGuard = {
  peerPublicKey: PEER_KEY,
  addresses: ['10.99.0.2/32'],
  allowedIPs: ['10.99.0.0/24'],
  dns: ['10.99.0.1'],
  persistentKeepaliveSeconds: 0,
  mtu: 1300,
};
const guest = {
  vmName: 'rental-7f3a',
  instance: '2026-01-31T12:00:00.000Z',
  card: { mac: '02:76:1f:00:a2:4c', address: '100.64.0.5', gateway: '169.254.1.1', mtu: 1500 },
};
const keys = { privateKey: PRIVATE_KEY, presharedKey: PRESHARED_KEY };

const specOf = (more: object) =>
  vmNetworkSpecSchema.parse({ selector: { names: ['rental-7f3a'] }, consumerEndpoint, ...more });
const policyOf = (more: object) =>
  resolvedPolicySchema.parse({ network: 'rental', consumerEndpoint, ...more });

describe.each([
  ['the spec of a VMNetwork', specOf],
  ['the policy of an attachment', policyOf],
])('%s', (_what, read) => {
  test('gives the guest every parameter of its tunnel', () => {
    const network = read({ wireGuard });
    expect(hasTunnel(network)).toBe(true);
    expect(parseGuest(guestInput(network, guest, keys))).toEqual({
      ...guest,
      endpoint: consumerEndpoint,
      tunnel: { ...wireGuard, ...keys },
    });
  });

  test('fills in what a network leaves out', () => {
    const network = read({ wireGuard: { peerPublicKey: PEER_KEY, addresses: ['10.99.0.2/32'] } });
    expect(parseGuest(guestInput(network, guest, { privateKey: PRIVATE_KEY })).tunnel).toEqual({
      ...{ peerPublicKey: PEER_KEY, privateKey: PRIVATE_KEY },
      ...{
        addresses: ['10.99.0.2/32'],
        allowedIPs: ['0.0.0.0/0'],
        dns: [],
        persistentKeepaliveSeconds: 25,
        mtu: 1420,
      },
    });
  });

  test('without a key of the consumer gives no tunnel, and takes no key', () => {
    const network = read({});
    expect(hasTunnel(network)).toBe(false);
    expect(guestInput(network, guest, keys)).toEqual({ ...guest, endpoint: consumerEndpoint });
  });

  test('says how the guest is to be given it', () => {
    expect(deliveryOf(read({}))).toBe('VendorData');
    expect(deliveryOf(read({ cloudInit: { delivery: 'UserData' } }))).toBe('UserData');
    expect(deliveryOf(read({ cloudInit: { delivery: 'None' } }))).toBeNull();
    expect(deliveryOf(read({ mode: 'Direct', consumerEndpoint: undefined }))).toBeNull();
  });
});

test('no tunnel is made without the key of the VM, nor a guest without an endpoint', () => {
  expect(() => guestInput(specOf({ wireGuard }), guest, null)).toThrow(TypeError);
  expect(() => guestInput(specOf({ mode: 'Direct', consumerEndpoint: undefined }), guest, keys)).toThrow(
    TypeError,
  );
});

describe('a guest without a tunnel', () => {
  const parsed = parseGuest(guestInput(specOf({}), guest, null));

  test('gets its network and the same firewall, and nothing that makes a wg0', () => {
    const provisioned = guestFiles(parseGuest(guestInput(specOf({ wireGuard }), guest, keys)));
    const without = guestFiles(parsed);
    const paths = without.map(({ path }) => path);
    expect(provisioned.map(({ path }) => path).filter((path) => !paths.includes(path))).toEqual([
      '/etc/vmnetwork/tunnel-dns',
      '/etc/wireguard/wg0.conf',
      '/etc/init.d/vmnet-tunnel',
    ]);
    for (const file of without) {
      if (file.path === '/etc/vmnetwork/start-all') {
        expect(file.content).toContain('systemctl start vmnet-guest-firewall.service');
        expect(file.content).not.toMatch(/wg0|wg-quick|vmnet-tunnel/);
      } else expect(provisioned).toContainEqual(file);
    }
  });

  test('is the same instance once it has one: network-config did not change', () => {
    const documents = (key: string | null) => {
      const network = key === null ? specOf({}) : specOf({ wireGuard });
      const input = guestInput(network, guest, key === null ? null : { privateKey: key });
      return seedDocuments(parseGuest(input), { delivery: 'VendorData', userData: new Uint8Array() });
    };
    const [none, one, other] = [documents(null), documents(newKey()), documents(newKey())];
    expect(new Set([none.metaData, one.metaData, other.metaData]).size).toBe(1);
    expect(none.networkConfig).toBe(one.networkConfig);
    expect(one.vendorData).not.toBe(other.vendorData);
  });
});
