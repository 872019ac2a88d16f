import { describe, expect, test } from '@jest/globals';
import { vmNetworkStatusSchema } from '../../../src/api/v1alpha1/vm-network-status.ts';
import { network } from './support/objects.ts';
import { conditionsOf, statusOf } from './support/planned-status.ts';
import type { Given } from './support/planned-status.ts';

describe('the conditions of a network', () => {
  test.each<[string, Given, Record<string, string>]>([
    [
      'all enforced',
      {},
      {
        Accepted: 'True Accepted',
        Bound: 'True Bound',
        Programmed: 'True Programmed',
        Enforced: 'True Verified',
        Ready: 'True Ready',
        Reconciling: 'False Settled',
        Stalled: 'False Settled',
      },
    ],
    [
      'not answered yet',
      { said: { vm1: null } },
      {
        Programmed: 'False Pending',
        Enforced: 'False Pending',
        Ready: 'False Pending',
        Reconciling: 'True Progressing',
      },
    ],
    [
      'one of two',
      { vms: ['vm1', 'vm2'], said: { vm2: null } },
      { Programmed: 'False Pending', Enforced: 'False Pending', Ready: 'False Pending' },
    ],
    [
      'no VM',
      { vms: [] },
      {
        Bound: 'False NoMatch',
        Programmed: 'False Denied',
        Enforced: 'False Denied',
        Ready: 'False NoMatch',
        Stalled: 'False Settled',
      },
    ],
    [
      'Programmed failed',
      { said: { vm1: { Programmed: ['False', 'ProgrammingFailed'], Enforced: ['False', 'Denied'] } } },
      { Programmed: 'False ProgrammingFailed', Enforced: 'False Denied', Ready: 'False ProgrammingFailed' },
    ],
    [
      'a card that cannot be filtered',
      {
        said: {
          vm1: { Programmed: ['False', 'UnsupportedBackend'], Enforced: ['False', 'UnsupportedBackend'] },
        },
      },
      {
        Programmed: 'False UnsupportedBackend',
        Enforced: 'False UnsupportedBackend',
        Stalled: 'True NeedsAttention',
      },
    ],
    [
      'the filter was detached',
      { said: { vm1: { Enforced: ['False', 'Detached'] } } },
      { Programmed: 'True Programmed', Enforced: 'False Detached', Ready: 'False Detached' },
    ],
    [
      'a reason of a later version',
      { said: { vm1: { Enforced: ['False', 'SomethingNew'] } } },
      { Enforced: 'False Pending' },
    ],
    [
      'a reason that is a word of JavaScript',
      { said: { vm1: { Enforced: ['False', 'constructor'] } } },
      { Enforced: 'False Pending' },
    ],
    [
      'stale',
      { health: 'stale' },
      { Enforced: 'Unknown AgentStale', Ready: 'Unknown AgentStale', Programmed: 'True Programmed' },
    ],
    ['in doubt, and was well', { health: 'doubt' }, { Enforced: 'True Verified', Ready: 'True Ready' }],
    [
      'detached on a host, not stale',
      { said: { vm1: { Enforced: ['False', 'Detached'] } }, health: 'doubt' },
      { Enforced: 'False Detached' },
    ],
    [
      'Direct',
      {
        network: network('one', { mode: 'Direct' }),
        said: { vm1: { Enforced: ['False', 'NotHostEnforced'] } },
      },
      { Programmed: 'True Programmed', Enforced: 'False NotHostEnforced', Ready: 'True NotHostEnforced' },
    ],
    [
      'Direct, whatever an agent says',
      { network: network('one', { mode: 'Direct' }) },
      { Enforced: 'False NotHostEnforced' },
    ],
    [
      'Direct that is quarantined: deny-all was read back',
      {
        network: network('one', { mode: 'Direct', desiredState: 'Quarantined' }),
        said: { vm1: { Enforced: ['True', 'Quarantined'] } },
      },
      { Programmed: 'True Programmed', Enforced: 'True Quarantined' },
    ],
    [
      'Direct that is not in force yet',
      {
        network: network('one', { mode: 'Direct' }),
        said: { vm1: { Enforced: ['False', 'Pending'] } },
      },
      { Enforced: 'False Pending', Ready: 'False Pending' },
    ],
    [
      'Direct of which the filter was detached',
      {
        network: network('one', { mode: 'Direct' }),
        said: { vm1: { Enforced: ['False', 'Detached'] } },
      },
      { Enforced: 'False Detached', Ready: 'False Detached' },
    ],
    [
      'Direct on a stale host',
      {
        network: network('one', { mode: 'Direct' }),
        said: { vm1: { Enforced: ['False', 'NotHostEnforced'] } },
        health: 'stale',
      },
      { Enforced: 'Unknown AgentStale', Ready: 'Unknown AgentStale' },
    ],
    [
      'Sampled',
      {
        network: network('one', { mode: 'Sampled' }),
        said: { vm1: { Enforced: ['False', 'SampledInPart'] } },
      },
      { Enforced: 'False SampledInPart', Ready: 'True SampledInPart' },
    ],
    [
      'Sampled on a stale host',
      {
        network: network('one', { mode: 'Sampled' }),
        said: { vm1: { Enforced: ['False', 'SampledInPart'] } },
        health: 'stale',
      },
      { Enforced: 'Unknown AgentStale', Ready: 'Unknown AgentStale' },
    ],
    [
      'sampled in part though Filtered was asked for',
      { said: { vm1: { Enforced: ['False', 'SampledInPart'] } } },
      { Enforced: 'False SampledInPart', Ready: 'False SampledInPart' },
    ],
    [
      'Audit',
      {
        network: network('one', { enforcement: 'Audit' }),
        said: { vm1: { Enforced: ['False', 'AuditOnly'] } },
      },
      { Enforced: 'False AuditOnly', Ready: 'True AuditOnly' },
    ],
    [
      'the kill switch',
      {
        network: network('one', { desiredState: 'Quarantined' }),
        said: { vm1: { Enforced: ['True', 'Quarantined'] } },
      },
      { Enforced: 'True Quarantined', Ready: 'True Quarantined' },
    ],
    [
      'quarantined for violations',
      { said: { vm1: { Enforced: ['True', 'Quarantined'] } } },
      { Enforced: 'True Quarantined', Ready: 'False Quarantined' },
    ],
    [
      'refused',
      {
        network: network('one', {
          className: 'default',
          enforcement: 'Audit',
          mode: 'Filtered',
          wireGuard: { strict: false },
        }),
      },
      {
        Accepted: 'False DeniedByClass',
        Bound: 'True Bound',
        Programmed: 'False Denied',
        Enforced: 'False Denied',
        Ready: 'False DeniedByClass',
        Stalled: 'True NeedsAttention',
      },
    ],
    [
      'an invalid Secret',
      { secret: { state: 'invalid', message: 'Secret t/psk does not exist.' } },
      { Accepted: 'False InvalidSecret', Stalled: 'True NeedsAttention' },
    ],
    [
      'an unreadable Secret',
      { noAttachments: true, secret: { state: 'unreadable', message: 'may not' } },
      { Accepted: 'Unknown InvalidSecret', Programmed: 'False Pending' },
    ],
    [
      'being deleted',
      { network: network('one', {}, { deletionTimestamp: '2026-01-31T11:00:00Z' }) },
      { Enforced: 'False Denied', Ready: 'False Denied', Reconciling: 'True Progressing' },
    ],
    [
      'the API server refused an attachment',
      { noAttachments: true, failure: 'exceeded quota' },
      { Programmed: 'False ProgrammingFailed', Ready: 'False ProgrammingFailed' },
    ],
    [
      'provisioning was not asked for',
      {},
      { GuestProvisioned: 'False NotRequested', TunnelEstablished: 'Unknown Pending', Ready: 'True Ready' },
    ],
  ])('%s', (_, given, expected) => {
    const planned = statusOf(given);
    expect(conditionsOf(planned)).toMatchObject(expected);
    expect(vmNetworkStatusSchema.safeParse(planned.status).error).toBeUndefined();
  });
});
