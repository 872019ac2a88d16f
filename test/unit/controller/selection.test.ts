import { describe, expect, test } from '@jest/globals';
import { attachmentName, cardsOf } from '../../../src/controller/vmnetwork/card.ts';
import { boundCondition, ownerOf } from '../../../src/controller/vmnetwork/binding.ts';
import type { Claimant } from '../../../src/controller/vmnetwork/binding.ts';
import { selectorKeys, selects, vmKeys } from '../../../src/controller/vmnetwork/selection.ts';
import { VmIndex } from '../../../src/controller/vmnetwork/vm-index.ts';
import { network, selected, vm } from './support/objects.ts';

const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const OTHER_UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12';

describe('a selector', () => {
  test.each([
    ['a name', { names: ['vm1', 'vm2'] }, {}, true],
    ['another name', { names: ['vm2'] }, {}, false],
    ['a uuid', { uuids: [UUID] }, { uuid: UUID }, true],
    ['a uuid of a VM that has none', { uuids: [UUID] }, {}, false],
    ['name and uuid', { names: ['vm1'], uuids: [UUID] }, { uuid: UUID }, true],
    ['the name, not the uuid', { names: ['vm1'], uuids: [OTHER_UUID] }, { uuid: UUID }, false],
    ['a label', { matchLabels: { team: 'x' } }, { labels: { team: 'x', more: 'y' } }, true],
    ['one of two labels', { matchLabels: { team: 'x', tier: 'z' } }, { labels: { team: 'x' } }, false],
    ['a label that VMs inherit from objects', { matchLabels: { constructor: 'x' } }, {}, false],
    ['the host', { names: ['vm1'], nodeName: 'n1' }, {}, true],
    ['another host', { names: ['vm1'], nodeName: 'n2' }, {}, false],
  ])('that gives %s', (_, selector, more, expected) => {
    const given = network('one', { selector });
    const reported = vm('vm1', more);
    expect(selects(given, reported, 'Any')).toBe(expected);
    // What selects must be found, from both sides, by whichever part of the selector is taken.
    const shared = (keys: readonly string[]) => keys.some((key) => vmKeys(reported.vm).includes(key));
    if (expected) expect(selectorKeys(given).map(shared)).toEqual(selectorKeys(given).map(() => true));
  });

  test('that an older schema left empty selects nothing', () => {
    const given = network('one');
    given.spec = { ...given.spec, selector: undefined as never };
    expect(selects(given, vm('vm1'), 'Any')).toBe(false);
    expect(selectorKeys(given)).toEqual([]);
  });

  // What an older schema let through, and what an agent of another make may report.
  test.each([
    ['alone', [NIL_UUID], undefined, NIL_UUID, false],
    ['with the name', [NIL_UUID], ['vm1'], NIL_UUID, false],
    ['with the name, of a VM that has a uuid', [NIL_UUID], ['vm1'], UUID, false],
    ['beside a uuid that is not its', [NIL_UUID, UUID], undefined, NIL_UUID, false],
    ['beside the uuid that is its', [NIL_UUID, UUID], undefined, UUID, true],
    ['not at all, but the name', undefined, ['vm1'], NIL_UUID, true],
  ])('that gives the Nil UUID %s', (_, uuids, names, uuid, expected) => {
    const given = network('one');
    given.spec = { ...given.spec, selector: { uuids, names } as never };
    const reported = vm('vm1', { uuid });
    expect(selects(given, reported, 'Any')).toBe(expected);
    expect(vmKeys(reported.vm).some((key) => key.includes(NIL_UUID))).toBe(false);
    expect(
      selectorKeys(given)
        .flat()
        .some((key) => key.includes(NIL_UUID)),
    ).toBe(false);
  });

  test.each([
    ['Any', undefined, true],
    ['Any', 'other', true],
    ['Namespace', 't', true],
    ['Namespace', 'other', false],
    ['Namespace', undefined, false],
    ['NamespaceIfReported', 't', true],
    ['NamespaceIfReported', 'other', false],
    ['NamespaceIfReported', undefined, true],
  ] as const)('with ownership %s: a VM of namespace %s', (ownership, namespace, expected) => {
    const reported = vm('vm1', namespace === undefined ? {} : { namespace });
    expect(selects(network('one'), reported, ownership)).toBe(expected);
  });
});

describe('the owner of a VM', () => {
  const old = network('z', {}, { creationTimestamp: '2026-01-01T00:00:00Z' });
  const young = network('a', {}, { creationTimestamp: '2026-01-02T00:00:00Z' });
  const twin = network('b', {}, { creationTimestamp: '2026-01-02T00:00:00Z' });
  const leaving = network(
    'y',
    {},
    { creationTimestamp: '2025-01-01T00:00:00Z', deletionTimestamp: '2026-01-05T00:00:00Z' },
  );
  const claim = (one: typeof old, holds: Claimant['holds'] = 'nothing') => ({ network: one, holds });

  test.each([
    ['is nobody without networks', [], undefined],
    ['is the oldest where nobody holds it', [claim(young), claim(old)], 'z'],
    ['is whoever holds it, however young', [claim(young, 'here'), claim(old)], 'a'],
    [
      'is whoever holds it on another host, as while it migrates',
      [claim(old), claim(young, 'elsewhere')],
      'a',
    ],
    [
      'is whoever holds it here before one that holds its uuid elsewhere',
      [claim(old, 'elsewhere'), claim(young, 'here')],
      'a',
    ],
    ['is the oldest of those that hold it', [claim(young, 'here'), claim(old, 'here')], 'z'],
    ['goes by name where age is the same', [claim(twin), claim(young)], 'a'],
    ['is one that is being deleted while it holds it', [claim(old), claim(leaving, 'here')], 'y'],
    ['is not one that is being deleted and holds nothing', [claim(old), claim(leaving)], 'z'],
  ] as const)('%s', (_, claimants, expected) => {
    expect(ownerOf(claimants)?.metadata.name).toBe(expected);
  });

  const stranger = network('secret-name', {}, { namespace: 'other' });
  const byLabel = network('by-label', { selector: { matchLabels: { app: 'web' } } });

  test('the loser is told who it is only within its namespace', () => {
    const own = boundCondition(young, [selected(vm('vm1'), old)]);
    const foreign = boundCondition(young, [selected(vm('vm1'), stranger)]);
    expect(own).toMatchObject({ status: 'False', reason: 'Conflict' });
    expect(own.message).toBe(
      'VM vm1 on n1 belongs to VMNetwork t/z, which holds it or is older. Remove the VM from one of the two selectors.',
    );
    expect(foreign.message).toContain('VM vm1 belongs to another VMNetwork, which holds it or is older');
    expect(foreign.message).not.toMatch(/secret-name|other\/|n1/);
  });

  test('one that selects by label is not told which VMs others have, only how many', () => {
    const others = ['secret1', 'secret2'].map((name) => selected(vm(name, {}, 'secret-host'), stranger));
    const { message } = boundCondition(byLabel, [...others, selected(vm('mine'), byLabel)]);
    expect(message).toContain('2 of the VMs that match belong to VMNetworks of other namespaces');
    expect(message).not.toMatch(/secret|mine/);
    const both = boundCondition(byLabel, [...others, selected(vm('vm1'), old)]).message;
    expect(both).toContain('VM vm1 on n1 belongs to VMNetwork t/z, which holds it or is older');
    expect(both).toContain('2 of the VMs');
    expect(both).not.toMatch(/secret/);
  });

  test('one that is being deleted lost nothing to a younger one, it gave up', () => {
    const bound = boundCondition(leaving, [selected(vm('vm1'), young)]);
    expect(bound).toMatchObject({ status: 'False', reason: 'NoMatch' });
    expect(bound.message).not.toMatch(/older|young/);
  });

  test('a thousand conflicts are a short message', () => {
    const many = Array.from({ length: 1000 }, (_, index) => selected(vm(`vm${index}`), old));
    expect(boundCondition(young, many).message).toMatch(/and 997 more/);
    expect(boundCondition(young, many).message.length).toBeLessThan(600);
  });
});

describe('the name of an attachment', () => {
  const card = { nodeName: 'n1', vmId: 'vm1', mac: '02:00:00:00:00:01' };

  test('is the network and ten digits of the card', () => {
    expect(attachmentName('rental', card)).toMatch(/^rental-[0-9a-f]{10}$/);
    expect(attachmentName('rental', card)).toBe(attachmentName('rental', { ...card }));
  });

  test.each(['nodeName', 'vmId', 'mac'] as const)('moves with %s', (field) => {
    expect(attachmentName('rental', { ...card, [field]: '02:00:00:00:00:02' })).not.toBe(
      attachmentName('rental', card),
    );
  });

  test.each([`${'a'.repeat(242)}b`, `${'a'.repeat(241)}.${'b'.repeat(11)}`, 'a.b-c'])(
    'is a DNS name for %s',
    (name) => {
      const made = attachmentName(name, card);
      expect(made.length).toBeLessThanOrEqual(253);
      expect(made).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
    },
  );

  test('a MAC address that a VM has twice is one card', () => {
    const interfaces = [
      { mac: '02:00:00:00:00:01' },
      { mac: '02:00:00:00:00:01' },
      { mac: '02:00:00:00:00:02' },
    ];
    expect(cardsOf(vm('vm1', { interfaces }))).toHaveLength(2);
  });
});

describe('the index of VMs', () => {
  test('tells what came, went and changed, and nothing for the same report', () => {
    const index = new VmIndex();
    const first = [vm('vm1').vm, vm('vm2', { labels: { team: 'x' } }).vm];
    expect(index.set('n1', first)).toHaveLength(2);
    const known = index.get('n1', 'vm1');
    // Not structuredClone: what that makes in Jest has prototypes of another realm.
    const again = JSON.parse(JSON.stringify(first)) as typeof first;
    expect(index.set('n1', again)).toEqual([]);
    expect(index.get('n1', 'vm1')).toBe(known);
    expect(index.get('n1', 'vm1')?.vm).toBe(again[0]);
    const changed = index.set('n1', [vm('vm1').vm, vm('vm2', { labels: { team: 'y' } }).vm]);
    expect(changed.map(({ vm: one }) => one.labels)).toEqual([{ team: 'y' }, { team: 'x' }]);
    expect(index.withKeys(['label team x'])).toEqual([]);
    expect(index.withKeys(['label team y', 'name vm2'])).toHaveLength(1);
    expect(index.set('n1', [])).toHaveLength(2);
    expect(index.withKeys(['name vm1', 'name vm2', 'label team y'])).toEqual([]);
  });
});
