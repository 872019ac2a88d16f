import { expect, test } from '@jest/globals';
import type { Link, ReadBack } from '../../../src/agent/host/kernel.ts';
import { GATEWAY_MAC, identityOf } from '../../../src/agent/wiring/identity.ts';
import type { RecordState } from '../../../src/agent/wiring/record.ts';
import { kernelAttachment } from '../../../src/cli/status/kernel-attachment.ts';
import { wireGuardKeySchema } from '../../../src/api/v1alpha1/wireguard-key.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { encodePolicy, type Policy, policyHash } from '../../../src/native/policy-abi.ts';

const { tap, guestMac, alias } = identityOf('guest');

const link: Link = {
  ifindex: 7,
  name: tap,
  mac: GATEWAY_MAC,
  alias,
  up: true,
  carrier: true,
  mtu: 1500,
  master: 0,
  kind: 'tun',
};

const record: RecordState = {
  state: 'ok',
  record: {
    version: 1,
    vm: 'guest',
    tap,
    guestMac,
    guestAddress: '100.64.0.5',
    network: 'tenant/guest',
    claim: null,
    createdAt: '2026-01-31T12:00:00Z',
  },
};
const absent: RecordState = { state: 'absent' };
const unreadable: RecordState = {
  state: 'unreadable',
  error: new VmnError('VMN_STATE_UNREADABLE', { attempted: 'read the record' }),
};

const policy: Policy = {
  flags: { quarantined: false, strictWireGuard: true, audit: false },
  generation: 4n,
  guestMac,
  gatewayMac: GATEWAY_MAC,
  guestAddress: '100.64.0.5',
  gatewayAddress: '169.254.1.1',
  mode: 'Filtered',
  endpoint: { address: '203.0.113.10', port: 51900 },
  previous: null,
  secret: new Uint8Array(16),
  limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
  samplePerMillion: 0,
  maxPacketBytes: 1500,
  violation: { threshold: 0, windowMs: 0 },
};

function found(bytes: Uint8Array | null, change: Partial<ReadBack> = {}): ReadBack {
  const hook = { linkId: 1, programId: 2, programTag: '00', ifindex: 7, first: true, others: [] };
  return {
    fromVm: { ...hook, attachPoint: 'tcx/ingress' },
    toVm: { ...hook, attachPoint: 'tcx/egress' },
    policy: bytes,
    policyState: bytes === null ? 'empty' : 'set',
    policyHash: bytes === null ? null : policyHash(bytes),
    ...change,
  };
}

const enforced = encodePolicy(policy);
const quarantined = encodePolicy({ ...policy, flags: { ...policy.flags, quarantined: true } });
const audited = encodePolicy({ ...policy, flags: { ...policy.flags, audit: true } });
const sampled = encodePolicy({ ...policy, mode: 'Sampled', samplePerMillion: 10_000 });
const everyFrame = encodePolicy({ ...policy, mode: 'Sampled', samplePerMillion: 1_000_000 });
const conntrack = encodePolicy({ ...policy, mode: 'Conntrack' });
const foreign = Uint8Array.from(enforced);
foreign[0] = 99;

test.each<[string, RecordState, Link | null, ReadBack, string, string]>([
  ['a policy in force', record, link, found(enforced), 'Enforced', ''],
  ['flows in force', record, link, found(conntrack), 'Enforced', ''],
  ['an audit', record, link, found(audited), 'Programmed', 'is counted, and passes'],
  ['a sample', record, link, found(sampled), 'Programmed', '10000 of a million frames'],
  ['a sample of everything', record, link, found(everyFrame), 'Enforced', ''],
  ['no policy', record, link, found(null), 'Denied', 'no policy'],
  ['quarantined', record, link, found(quarantined), 'Denied', 'quarantined'],
  ['a policy of another version', record, link, found(foreign), 'Error', 'another version'],
  [
    'an unknown policy',
    record,
    link,
    found(null, { policyState: 'unknown' }),
    'Error',
    'cannot be read back',
  ],
  ['a missing program', record, link, found(enforced, { toVm: null }), 'Error', 'the to-VM program'],
  ['another interface', record, { ...link, ifindex: 8 }, found(enforced), 'Error', 'on interface 7, not 8'],
  ['no interface', record, null, found(enforced), 'Error', 'there is no interface'],
  ['a damaged record', unreadable, link, found(enforced), 'Error', 'record'],
])('%s', (_, state, at, readBack, expected, message) => {
  const attachment = kernelAttachment(tap, state, at, readBack, true);
  expect(attachment.state).toBe(expected);
  expect(attachment.message).toContain(message);
});

test('shows what is in force', () => {
  expect(kernelAttachment(tap, record, link, found(enforced), true)).toMatchObject({
    vm: 'guest',
    network: 'tenant/guest',
    ifindex: 7,
    guestAddress: '100.64.0.5',
    inUse: true,
    endpoint: '203.0.113.10:51900',
    generation: 4n,
    policyHash: policyHash(enforced),
  });
});

test("shows the guest's public key, if it was given one", () => {
  const guest = { publicKey: wireGuardKeySchema.parse('xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=') };
  const given: RecordState =
    record.state === 'ok' ? { ...record, record: { ...record.record, guest } } : absent;
  expect(kernelAttachment(tap, given, link, found(enforced), true).guest).toEqual(guest);
  expect(kernelAttachment(tap, record, link, found(enforced), true)).not.toHaveProperty('guest');
});

test('without a record the alias of the interface names the VM', () => {
  expect(kernelAttachment(tap, absent, link, found(null), true).vm).toBe('guest');
  expect(kernelAttachment(tap, absent, { ...link, alias: 'vmnetwork:other' }, found(null), true).vm).toBe('');
  expect(kernelAttachment(tap, absent, null, found(null), true).vm).toBe('');
});
