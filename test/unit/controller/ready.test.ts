import { describe, expect, test } from '@jest/globals';
import { network } from './support/objects.ts';
import { statusOf } from './support/planned-status.ts';
import type { Given } from './support/planned-status.ts';

describe('Ready says in its reason and message what is going on', () => {
  const other = network('older', {}, { uid: 'uid-older' });
  const readyOf = (given: Given) => statusOf(given).status.conditions?.find(({ type }) => type === 'Ready');

  test.each<[string, Given, string, RegExp]>([
    ['no VM', { vms: [] }, 'NoMatch', /^Bound: no VM that a host reports/],
    ['a conflict', { owner: other }, 'Conflict', /^Bound: VM vm1 on n1 belongs to VMNetwork t\/older/],
    [
      'a class that forbids it',
      { network: network('one', { wireGuard: { strict: false } }) },
      'DeniedByClass',
      /^Accepted: spec\.wireGuard\.strict/,
    ],
    [
      'refused and without a VM: the first that does not hold',
      { network: network('one', { wireGuard: { strict: false } }), vms: [] },
      'DeniedByClass',
      /^Accepted: /,
    ],
    [
      'not answered yet, by an agent that is not heard from: what it waits for',
      { said: { vm1: null }, health: 'stale' },
      'AgentStale',
      /^Enforced: the agent of n1 has not been heard from/,
    ],
    [
      'a Secret that nobody can read',
      { noAttachments: true, secret: { state: 'unreadable', message: 'may not' } },
      'InvalidSecret',
      /^Accepted: may not$/,
    ],
    ['not answered yet', { said: { vm1: null } }, 'Pending', /^Programmed: 0 of 1 attachments/],
    [
      'Audit, as asked for',
      {
        network: network('one', { enforcement: 'Audit' }),
        said: { vm1: { Enforced: ['False', 'AuditOnly'] } },
      },
      'AuditOnly',
      /^everything asked for holds; .*the agent says AuditOnly/,
    ],
    ['all well', {}, 'Ready', /^everything asked for holds$/],
  ])('%s', (_, given, reason, message) => {
    expect(readyOf(given)).toMatchObject({ reason, message: expect.stringMatching(message) });
  });
});
