import { describe, expect, test } from '@jest/globals';
import type { Attachment } from '../../../src/controller/kinds.ts';
import { planEvents } from '../../../src/controller/vmnetwork/network-events.ts';
import { network, NOW_MS } from './support/objects.ts';
import { conditionsOf, statusOf } from './support/planned-status.ts';
import type { Given } from './support/planned-status.ts';

describe('an agent is believed only about the policy of now', () => {
  test.each<[string, (attachment: Attachment) => Attachment, string]>([
    [
      'another hash was read back',
      (one) =>
        ({
          ...one,
          status: { ...one.status, enforced: { ...one.status?.enforced, policyHash: '0'.repeat(64) } },
        }) as Attachment,
      'False ReadBackMismatch',
    ],
    [
      'nothing was read back',
      (one) => ({ ...one, status: { ...one.status, enforced: undefined } }),
      'False ReadBackMismatch',
    ],
    [
      'it speaks of the generation before',
      (one) => ({ ...one, metadata: { ...one.metadata, generation: 2 } }),
      'False Pending',
    ],
    [
      'it speaks of no generation',
      (one) => ({
        ...one,
        status: {
          ...one.status,
          observedGeneration: undefined,
          conditions: one.status?.conditions?.map((c) => ({ ...c, observedGeneration: undefined })),
        },
      }),
      'False Pending',
    ],
  ])('%s', (_, change, expected) => {
    const planned = statusOf({ change });
    expect(conditionsOf(planned)).toMatchObject({ Enforced: expected, Ready: 'False NotReady' });
    expect(planned.status.attachments).toMatchObject({ enforced: 0, summary: '0/1' });
  });

  test('and a changed policy starts from nothing', () => {
    const before = statusOf();
    const moved = network('one', { desiredState: 'Quarantined' }, { generation: 2 });
    const old = (attachment: Attachment) =>
      ({
        ...attachment,
        spec: { ...attachment.spec, policy: { ...attachment.spec.policy, desiredState: 'Active' } },
      }) as Attachment;
    const after = statusOf({ network: { ...moved, status: before.status }, change: old });
    expect(conditionsOf(after)).toMatchObject({ Programmed: 'False Pending', Enforced: 'False Pending' });
    expect(after.status.observedGeneration).toBe(2);
  });
});

describe('a status', () => {
  const settled = () => {
    const { status } = statusOf();
    return network('one', {}, {}) && { ...network('one'), status };
  };

  test('of before that says the same is not written again', () => {
    expect(statusOf({ network: settled(), nowMs: NOW_MS + 3_600_000 })).toMatchObject({
      changed: false,
      countWaits: false,
    });
  });

  test('keeps since when a condition holds, and moves it only with the status', () => {
    const later = statusOf({ network: settled(), health: 'stale', nowMs: NOW_MS + 60_000 });
    const since = (type: string) =>
      later.status.conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
    expect(since('Accepted')).toBe('2026-01-31T12:00:00Z');
    expect(since('Enforced')).toBe('2026-01-31T12:01:00Z');
    expect(later.changed).toBe(true);
  });

  test('that a hand edited is put right', () => {
    const edited = settled();
    edited.status = { ...edited.status, attachments: { desired: 9, enforced: 9, summary: '9/9' } };
    expect(statusOf({ network: edited })).toMatchObject({
      changed: true,
      status: { attachments: { summary: '1/1' } },
    });
  });

  const counting = (dropped: number) => (attachment: Attachment) =>
    ({ ...attachment, status: { ...attachment.status, counters: { allowed: 1, dropped } } }) as Attachment;

  test('of nothing but a new count waits until it is due', () => {
    const { status } = statusOf({ change: counting(1) });
    const before = { ...network('one'), status };
    expect(statusOf({ network: before, change: counting(2), countIsDue: false })).toMatchObject({
      changed: false,
      countWaits: true,
    });
    expect(statusOf({ network: before, change: counting(2) })).toMatchObject({
      changed: true,
      status: { droppedPackets: 2 },
    });
  });

  test('tells the endpoint, the peers and what was dropped', () => {
    const publicKey = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
    const change = (attachment: Attachment) =>
      ({
        ...attachment,
        status: { ...attachment.status, guest: { publicKey }, counters: { allowed: 5, dropped: 3 } },
      }) as Attachment;
    const { status } = statusOf({
      network: network('one', { wireGuard: { addresses: ['10.99.0.2/32'] } }),
      vms: ['vm1', 'vm2'],
      change,
    });
    expect(status).toMatchObject({ endpoint: '203.0.113.10:51900', droppedPackets: 6 });
    expect(status.peers).toHaveLength(2);
    expect(status.peers?.[0]).toMatchObject({ publicKey, addresses: ['10.99.0.2/32'] });
  });

  test('of a thousand VMs is bounded', () => {
    const vms = Array.from({ length: 1000 }, (_, index) => `vm${index}`);
    const { status } = statusOf({ vms, said: { vm7: null } });
    expect(status.attachments).toEqual({ desired: 1000, enforced: 999, summary: '999/1000' });
    expect(JSON.stringify(status).length).toBeLessThan(10_000);
  });

  test('repeats what an agent says on one line, cut', () => {
    const message = `bad\u001b[2J${'x'.repeat(5000)}`;
    const change = (attachment: Attachment) =>
      ({
        ...attachment,
        status: {
          ...attachment.status,
          conditions: attachment.status?.conditions?.map((c) => ({
            ...c,
            status: 'False',
            reason: 'Detached',
            message,
          })),
        },
      }) as Attachment;
    const enforced = statusOf({ change }).status.conditions?.find(({ type }) => type === 'Enforced');
    expect(enforced?.message).not.toContain('\u001b');
    expect(enforced?.message.length).toBeLessThan(700);
  });
});

describe('the Events of a network', () => {
  const none = { created: 0, updated: 0, removed: 0 };
  const reasons = (before: Given | null, after: Given, written = none as Parameters<typeof planEvents>[2]) =>
    planEvents(before === null ? undefined : statusOf(before).status, statusOf(after).status, written).map(
      ({ type, reason }) => `${type} ${reason}`,
    );

  test.each<[string, Given | null, Given, Parameters<typeof planEvents>[2], string[]]>([
    ['made', null, { said: { vm1: null } }, { ...none, created: 1 }, ['Normal Attached']],
    ['enforced', { said: { vm1: null } }, {}, none, ['Normal EnforcementVerified']],
    ['lost', {}, { said: { vm1: { Enforced: ['False', 'Detached'] } } }, none, ['Warning EnforcementLost']],
    ['stale', {}, { health: 'stale' }, none, ['Warning EnforcementLost']],
    ['changed', {}, {}, { ...none, updated: 2 }, ['Normal PolicyUpdated']],
    [
      'refused',
      {},
      { network: network('one', { wireGuard: { strict: false } }) },
      { ...none, removed: 1 },
      ['Normal Detached', 'Warning DeniedByClass'],
    ],
    [
      'quota',
      null,
      { noAttachments: true, failure: 'exceeded quota' },
      { ...none, failure: 'exceeded quota' },
      ['Warning FailedToAttach'],
    ],
    [
      'unsupported',
      { said: { vm1: null } },
      {
        said: {
          vm1: { Programmed: ['False', 'UnsupportedBackend'], Enforced: ['False', 'UnsupportedBackend'] },
        },
      },
      none,
      ['Warning FailedToAttach'],
    ],
    ['at rest', {}, {}, none, []],
  ])('%s', (_, before, after, written, expected) => {
    expect(reasons(before, after, written)).toEqual(expected);
  });
});
