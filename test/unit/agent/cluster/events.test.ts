import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AttachmentResult } from '../../../../src/agent/attachment/rounds.ts';
import { EVENT_REASONS, planAttachmentEvents } from '../../../../src/agent/status/cluster/events.ts';
import { ATTACHMENTS, CLASSES } from '../../../../src/agent/source/cluster/kinds.ts';
import { EndedVms } from '../../../../src/agent/status/cluster/events-ended.ts';
import type { CardFound } from '../../../../src/agent/status/cluster/events-ended.ts';
import type { RecordedViolations } from '../../../../src/agent/wiring/record.ts';
import type { VmNetworkAttachmentStatus } from '../../../../src/api/v1alpha1/index.ts';
import { metricsPage } from '../../../support/metrics-text.ts';
import { ClusterAgent } from '../support/cluster-agent.ts';
import { attachment, networkClass } from '../support/cluster-objects.ts';
import { FakeApi } from '../support/fake-api.ts';

type Status = VmNetworkAttachmentStatus;
type Condition = NonNullable<Status['conditions']>[number];
const AT = '2026-01-31T12:00:00Z';

function condition(type: 'Programmed' | 'Enforced', said: string): Condition {
  const [status = '', reason = ''] = said.split(' ');
  const message = `${type} is ${status}`;
  return {
    ...{ type, message, lastTransitionTime: AT },
    status: status as Condition['status'],
    reason: reason,
  };
}

/** @param hash of the policy that was read back; empty: none was */
function status(programmed: string, enforced: string, hash = '', more: Partial<Status> = {}): Status {
  const proof = { policyHash: hash, policyGeneration: 1, programTag: 'f', verifiedAt: AT };
  return {
    conditions: [condition('Programmed', programmed), condition('Enforced', enforced)],
    ...(hash === '' ? {} : { enforced: proof }),
    ...more,
  };
}

const SEEN = { time: AT, direction: 'FromVM', reason: 'Protocol', protocol: 'TCP', packets: 1 } as const;
const WELL = status('True Programmed', 'True Verified', 'a');
const PENDING = status('False Pending', 'False Pending');
const DENIED = status('False Denied', 'False Denied');
const QUARANTINED = status('True Programmed', 'True Quarantined', 'b');
const evidence = (...lastViolations: NonNullable<Status['lastViolations']>): Status => ({
  ...WELL,
  lastViolations,
});

describe('Events of an attachment', () => {
  const told = (before: Status | undefined, after: Status, killSwitch = false): string[] =>
    planAttachmentEvents(before, after, killSwitch).map(({ type, reason }) => `${type} ${reason}`);

  test.each<[string, Status | undefined, Status, string[]]>([
    ['none yet', undefined, PENDING, []],
    ['its first enforcement', undefined, WELL, ['Normal Attached', 'Normal EnforcementVerified']],
    ['after waiting', PENDING, WELL, ['Normal Attached', 'Normal EnforcementVerified']],
    ['nothing new, as after a start', WELL, WELL, []],
    ['another policy', WELL, status('True Programmed', 'True Verified', 'b'), ['Normal PolicyUpdated']],
    ['an audit', WELL, status('True Programmed', 'False AuditOnly', 'b'), ['Normal PolicyUpdated']],
    [
      'the end of an audit',
      status('True Programmed', 'False AuditOnly', 'b'),
      WELL,
      ['Normal PolicyUpdated', 'Normal EnforcementVerified'],
    ],
    ['denied as asked', WELL, DENIED, []],
    ['gone', WELL, PENDING, []],
    [
      'the kernel differs',
      WELL,
      status('False ProgrammingFailed', 'False ReadBackMismatch'),
      ['Warning FailedToAttach', 'Warning EnforcementLost'],
    ],
    [
      'it differs still',
      status('False ProgrammingFailed', 'False ReadBackMismatch'),
      status('False ProgrammingFailed', 'False ReadBackMismatch'),
      [],
    ],
    ['detached', WELL, status('True Programmed', 'False Detached', 'a'), ['Warning EnforcementLost']],
    ['not known', WELL, status('True Programmed', 'Unknown Pending'), ['Warning EnforcementLost']],
    ['known again', status('True Programmed', 'Unknown Pending'), WELL, ['Normal EnforcementVerified']],
    [
      'no such backend',
      undefined,
      status('False UnsupportedBackend', 'False Denied'),
      ['Warning FailedToAttach'],
    ],
    ['a first violation', WELL, evidence(SEEN), ['Warning Violation']],
    ['the same again', evidence(SEEN), evidence({ ...SEEN, packets: 7, time: '2026-01-31T12:05:00Z' }), []],
    ['another one', evidence(SEEN), evidence(SEEN, { ...SEEN, port: 22 }), ['Warning Violation']],
  ])('%s', (_what, before, after, expected) => {
    expect(told(before, after)).toEqual(expected);
  });

  test('are in docs/metrics.md, every one', () => {
    const rows = metricsPage().matchAll(/^\| `(\w+)` \| (?:Normal|Warning|Normal, Warning) \| /gm);
    expect([...rows].map(([, reason]) => reason)).toEqual(EVENT_REASONS);
  });

  test('a quarantine is a warning unless it was asked for', () => {
    expect(told(WELL, QUARANTINED)).toEqual(['Normal PolicyUpdated', 'Warning Quarantined']);
    expect(told(WELL, QUARANTINED, true)).toEqual(['Normal PolicyUpdated', 'Normal Quarantined']);
    expect(told(QUARANTINED, QUARANTINED, true)).toEqual([]);
    expect(told(QUARANTINED, WELL)).toEqual(['Normal PolicyUpdated']);
  });

  test('violations are one Event: its note never changes', () => {
    const [one] = planAttachmentEvents(WELL, evidence(SEEN), false);
    const [other] = planAttachmentEvents(evidence(SEEN), evidence({ ...SEEN, reason: 'Ipv6' }), false);
    expect(one?.note).toBe(other?.note);
  });
});

describe('which VMs were ended', () => {
  const KEY = 't/net-one';
  const SINCE = { answered: 1, quarantinedAt: AT };
  const TO_END = { ...SINCE, toEnd: true, holder: { pid: 7, startTicks: '1' } };
  const ENDED = { ...SINCE, toEnd: false };
  const found = (violations: RecordedViolations): AttachmentResult => {
    const record = { state: 'ok', record: { violations } };
    return { observed: { record } } as unknown as AttachmentResult;
  };
  const told = (...passes: readonly CardFound[]): number[] => {
    const vms = new EndedVms();
    return passes.map((card) => vms.passed(new Map([[KEY, card]])).length);
  };

  test('those of which a process was to end, and has', () => {
    expect(told(found(TO_END), found(TO_END), found(ENDED), found(ENDED))).toEqual([0, 0, 1, 0]);
    expect(told(found(TO_END), 'gone', 'gone')).toEqual([0, 1, 0]);
  });

  test('not one that is only quarantined, released meanwhile, or of which nothing is known', () => {
    expect(told(found(ENDED), found(ENDED))).toEqual([0, 0]);
    expect(told(found({ ...SINCE, toEnd: true }), found(ENDED))).toEqual([0, 0]);
    expect(told(found(TO_END), found({ ...ENDED, quarantinedAt: null }))).toEqual([0, 0]);
    expect(told(found(TO_END), null)).toEqual([0, 0]);
    expect(told('gone')).toEqual([0]);
  });
});

describe('an agent of a cluster', () => {
  let agent: ClusterAgent;
  beforeEach(() => {
    agent = ClusterAgent.start(new FakeApi());
  });
  afterEach(() => agent.close());

  const toldLast = (event: string) => (): boolean =>
    agent.told.at(-1)?.startsWith(`${event} of t/net-vm-a: `) === true;

  test('tells what the API server took, once', async () => {
    agent.api.put(CLASSES, networkClass());
    agent.startVm('vm-a');
    agent.api.put(ATTACHMENTS, attachment());
    await agent.until('its enforcement', toldLast('Normal EnforcementVerified'));
    expect(agent.told).toHaveLength(2);
    await agent.pass();
    await agent.clock.advance(120_000);
    expect(agent.told).toHaveLength(2);
    agent.source.failed({ file: 'host', message: 'no answer', remedy: '', code: 'VMN_NETLINK' });
    await agent.quietly('its loss', toldLast('Warning EnforcementLost'));
    await agent.pass();
    await agent.quietly('its return', toldLast('Normal EnforcementVerified'));
    expect(agent.told).toHaveLength(4);
  });
});
