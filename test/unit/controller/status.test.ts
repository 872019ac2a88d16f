import { describe, expect, test } from '@jest/globals';
import type { Attachment } from '../../../src/controller/kinds.ts';
import { isMereCount } from '../../../src/controller/vmnetwork/attachment-change.ts';
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
    expect(conditionsOf(planned)).toMatchObject({ Enforced: expected, Ready: expected });
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

/** The agent saw a handshake at that time of 31 January 2026, by VM. */
function shaking(times: Readonly<Record<string, string>>) {
  return (attachment: Attachment): Attachment => {
    const time = times[attachment.spec.vm.name];
    if (time === undefined) return attachment;
    const lastHandshake = time.includes(':') ? `2026-01-31T${time}` : time;
    return { ...attachment, status: { ...attachment.status, tunnel: { lastHandshake } } };
  };
}

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

  test('tells the last handshake: of several VMs of the one that had none for longest', () => {
    expect(statusOf({ change: shaking({ vm1: '12:00:00Z' }) }).status.tunnel).toEqual({
      lastHandshake: '2026-01-31T12:00:00Z',
    });
    // 12:00:30 at +00:30 is before 12:00:00 at Z, and stands there as its agent wrote it.
    const times = { vm1: '12:00:00Z', vm2: '12:00:30+00:30', vm3: '11:59:59.5Z' };
    const { tunnel } = statusOf({ vms: ['vm1', 'vm2', 'vm3'], change: shaking(times) }).status;
    expect(tunnel).toEqual({ lastHandshake: '2026-01-31T12:00:30+00:30' });
  });

  test.each<[string, Given]>([
    ['while one VM had none', { vms: ['vm1', 'vm2'] }],
    ['of an agent that wrote no time', { said: {}, change: shaking({ vm1: 'soon' }) }],
    ['while nothing is enforced', { said: { vm1: { Enforced: ['False', 'Detached'] } } }],
    ['of a host that is not heard from', { health: 'stale' }],
    ['where the host does not look', { network: network('one', { mode: 'Direct' }) }],
    ['of a network that is refused', { network: network('one', { wireGuard: { strict: false } }) }],
    ['of no VM', { vms: [] }],
  ])('tells of no handshake %s', (_, given) => {
    const { status } = statusOf({ change: shaking({ vm1: '12:00:00Z' }), ...given });
    expect(status).not.toHaveProperty('tunnel');
  });

  test.each<[string, Given]>([
    ['is not enforced', { said: { vm2: { Enforced: ['False', 'Detached'] } } }],
    ['had its policy changed a moment ago', { said: { vm2: null } }],
  ])('leaves out of that a VM that %s', (_, given) => {
    const { status } = statusOf({ vms: ['vm1', 'vm2'], change: shaking({ vm1: '12:00:00Z' }), ...given });
    expect(status.tunnel).toEqual({ lastHandshake: '2026-01-31T12:00:00Z' });
  });

  test('counts a VM in for that where less was asked for than that every frame is judged', () => {
    const own = network('one', { enforcement: 'Audit' });
    const said = { vm1: { Enforced: ['False', 'AuditOnly'] } } satisfies Given['said'];
    expect(statusOf({ network: own, said, change: shaking({ vm1: '12:00:00Z' }) }).status).toHaveProperty(
      'tunnel',
    );
  });

  test('of nothing but a new handshake waits until it is due, and goes with any other change', () => {
    const { status } = statusOf({ change: shaking({ vm1: '12:00:00Z' }) });
    const before = { ...network('one'), status };
    const later = { network: before, change: shaking({ vm1: '12:02:00Z' }) };
    const tunnel = { lastHandshake: '2026-01-31T12:02:00Z' };
    expect(statusOf({ ...later, countIsDue: false })).toMatchObject({ changed: false, countWaits: true });
    expect(statusOf(later)).toMatchObject({ changed: true, countWaits: false, status: { tunnel } });
    const edited = { ...before, status: { ...status, endpoint: '192.0.2.1:1' } };
    expect(statusOf({ ...later, network: edited, countIsDue: false })).toMatchObject({
      changed: true,
      countWaits: false,
      status: { tunnel },
    });
  });

  test('is not looked at at once for a handshake: that waits with the counts', () => {
    const [first, second] = ['12:00:00Z', '12:02:00Z'].map((time) => {
      let seen: Attachment | undefined;
      statusOf({ change: (attachment) => (seen = shaking({ vm1: time })(attachment)) });
      return seen;
    });
    expect(second?.status?.tunnel).not.toEqual(first?.status?.tunnel);
    expect(isMereCount(first!, second!)).toBe(true);
  });

  test('calls a VM what its host calls it now, not what it was called when its attachment was made', () => {
    const { status } = statusOf({
      renamed: { vm1: 'new' },
      said: { vm1: { Enforced: ['False', 'Detached'] } },
    });
    const enforced = status.conditions?.find(({ type }) => type === 'Enforced');
    expect(enforced?.message).toBe('0 of 1 attachments; VM new on n1: the agent says Detached');
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
