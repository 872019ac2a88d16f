import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { cardKeyOf } from '../../../src/agent/wiring/card-key.ts';
import { recordsDirOf } from '../../../src/agent/wiring/paths.ts';
import { serializeRecord } from '../../../src/agent/wiring/record.ts';
import type { Link, ReadBack } from '../../../src/agent/host/kernel.ts';
import { HostFilters } from '../../../src/cli/filters/host-filters.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { encodePolicy } from '../../../src/native/policy-abi.ts';
import { policy } from './explain/policy.ts';
import { scratch } from './scratch.ts';

const files = scratch();
const own = identityOf('rental');
const aliased = identityOf('aliased');
const lost = identityOf('lost');
const card = { vmId: 'domain-uuid', mac: policy().guestMac };
const OTHER = 4026531999;

const link = (name: string, ifindex: number, alias = ''): Link => ({
  ifindex,
  name,
  mac: '02:76:6d:6e:00:01',
  alias,
  up: true,
  carrier: true,
  mtu: 1500,
  master: 0,
  kind: 'tun',
});
const holding = (bytes: Uint8Array | null): ReadBack => ({
  fromVm: null,
  toVm: null,
  policy: bytes,
  policyState: bytes === null ? 'empty' : 'set',
  policyHash: null,
});
const READ_BACKS: Readonly<Record<string, ReadBack>> = {
  'if-0-5': holding(encodePolicy(policy())),
  'if-0-6': holding(null),
  // The address of a record, and another MAC.
  'if-0-9': holding(encodePolicy(policy({ guestMac: '02:76:00:00:00:01' }))),
  [`if-${OTHER}-5`]: holding(encodePolicy(policy({ guestAddress: '100.64.0.77' }))),
};

function filters(pins: readonly string[]): HostFilters {
  const kernel = {
    listPins: () => [...pins],
    links: () => [
      link(own.tap, 3, own.alias),
      link(aliased.tap, 4, aliased.alias),
      link('vnet0', 5),
      link('vnet1', 6),
    ],
    readBack: (pinDir: string) => {
      const found = READ_BACKS[pinDir.split('/').at(-1) ?? ''];
      if (found === undefined) throw new VmnError('VMN_READ_BACK', { attempted: 'read back' });
      return found;
    },
  };
  const paths = { stateDir: files.folder, runDir: '/nonexistent', bpffs: '/pins', pool: '100.64.0.0/16' };
  return new HostFilters(kernel, paths);
}

beforeAll(() => {
  const dir = recordsDirOf({ stateDir: files.folder });
  mkdirSync(dir, { recursive: true });
  const write = (vm: string, tap: string, guestMac: string, guestAddress: string): void => {
    const rest = { network: null, claim: null, createdAt: '2026-01-31T12:00:00Z' };
    writeFileSync(
      join(dir, `${tap}.json`),
      serializeRecord({ version: 1, vm, tap, guestMac, guestAddress, ...rest }),
    );
  };
  write('rental', own.tap, own.guestMac, '100.64.0.9');
  write(card.vmId, cardKeyOf(card), card.mac, policy().guestAddress);
  // The same MAC on another address is another card.
  write('another', cardKeyOf({ ...card, vmId: 'another' }), card.mac, '100.64.0.6');
});

test('whose a filter is: by its record, by the alias of its tap, by the policy on a tap of others', () => {
  const pins = [own.tap, aliased.tap, lost.tap, 'if-0-5', 'if-0-6', `if-${OTHER}-5`];
  expect(filters(pins).list()).toEqual(
    [
      { vm: 'rental', tap: own.tap, pinDir: `/pins/${own.tap}`, ifindex: 3, elsewhere: false },
      { vm: 'aliased', tap: aliased.tap, pinDir: `/pins/${aliased.tap}`, ifindex: 4, elsewhere: false },
      { vm: lost.tap, tap: lost.tap, pinDir: `/pins/${lost.tap}`, ifindex: null, elsewhere: false },
      { vm: card.vmId, tap: 'vnet0', pinDir: '/pins/if-0-5', ifindex: 5, elsewhere: false },
      { vm: 'vnet1', tap: 'vnet1', pinDir: '/pins/if-0-6', ifindex: 6, elsewhere: false },
      {
        vm: `if-${OTHER}-5`,
        tap: `if-${OTHER}-5`,
        pinDir: `/pins/if-${OTHER}-5`,
        ifindex: null,
        elsewhere: true,
      },
    ].sort((a, b) => (a.vm < b.vm ? -1 : 1)),
  );
});

test('what is no filter of a link, or one that left, is not among them; one that cannot be read, or told, is', () => {
  expect(filters(['if-0-5_aside_0a1b', 'something', 'vmn-nothex', 'if-0-8', 'if-0-9']).list()).toEqual([
    { vm: 'if-0-8', tap: 'if-0-8', pinDir: '/pins/if-0-8', ifindex: null, elsewhere: false },
    { vm: 'if-0-9', tap: 'if-0-9', pinDir: '/pins/if-0-9', ifindex: null, elsewhere: false },
  ]);
});

test('found by the name of the VM or of the interface; else it is an error that names it', () => {
  const all = filters([own.tap, 'if-0-5']);
  expect(all.named('rental')).toEqual(all.named(own.tap));
  expect(all.named(card.vmId)).toEqual(all.named('vnet0'));
  expect(() => all.named('nobody')).toThrow(expect.objectContaining({ on: 'nobody', fault: 'refused' }));
});
