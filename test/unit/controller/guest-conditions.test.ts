import { describe, expect, test } from '@jest/globals';
import { vmNetworkStatusSchema } from '../../../src/api/v1alpha1/vm-network-status.ts';
import type { Said } from '../../../src/controller/vmnetwork/attachment-report.ts';
import { planConditions } from '../../../src/controller/vmnetwork/conditions.ts';
import { judge } from '../../../src/controller/vmnetwork/judgement.ts';
import { network, networkClass, selected, vm } from './support/objects.ts';
import { conditionsOf, statusOf } from './support/planned-status.ts';
import type { Given } from './support/planned-status.ts';

function messagesOf({ status }: ReturnType<typeof statusOf>): Record<string, string> {
  return Object.fromEntries((status.conditions ?? []).map(({ type, message }) => [type, message]));
}

const said = (status: Said['status'], reason: string): Said => ({ status, reason, message: 'told' });

describe('the guests of a network', () => {
  const peerPublicKey = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
  const addresses = ['10.99.0.2/32'];
  const presharedKeySecretRef = { name: 'psk', key: 'psk' };
  const guest = network('one', { wireGuard: { peerPublicKey, addresses } });
  const direct = network('one', { mode: 'Direct', wireGuard: { peerPublicKey, addresses } });
  const well = {
    GuestProvisioned: ['True', 'Provisioned'],
    TunnelEstablished: ['True', 'HandshakeSeen'],
  } satisfies Record<string, [string, string]>;
  const silent = 'VM vm1 on n1: its agent has said nothing of it';

  test.each<[string, Given, Record<string, string>, Record<string, string>]>([
    [
      'provisioned',
      { said: { vm1: well } },
      { GuestProvisioned: 'True Provisioned', TunnelEstablished: 'True HandshakeSeen', Ready: 'True Ready' },
      { GuestProvisioned: '1 of 1 attachments' },
    ],
    [
      'by agents that say nothing of guests, as those that provision none: nothing is claimed, and nothing waits for it',
      {},
      { GuestProvisioned: 'Unknown Pending', TunnelEstablished: 'Unknown Pending', Ready: 'True Ready' },
      { GuestProvisioned: silent, TunnelEstablished: silent },
    ],
    [
      'by an agent that says it was not asked, though it was',
      { said: { vm1: { GuestProvisioned: ['False', 'NotRequested'] } } },
      { GuestProvisioned: 'Unknown Pending', Ready: 'True Ready' },
      { GuestProvisioned: 'VM vm1 on n1: its agent says that the policy does not ask for it' },
    ],
    [
      'failed',
      { said: { vm1: { GuestProvisioned: ['False', 'ProgrammingFailed'] } } },
      { GuestProvisioned: 'False ProgrammingFailed', Ready: 'False ProgrammingFailed' },
      {
        GuestProvisioned: 'VM vm1 on n1: the agent says ProgrammingFailed',
        Ready: 'GuestProvisioned: VM vm1 on n1: the agent says ProgrammingFailed',
      },
    ],
    [
      'one of two failed, the other only waits',
      {
        vms: ['vm1', 'vm2'],
        said: {
          vm1: { GuestProvisioned: ['False', 'Pending'] },
          vm2: { GuestProvisioned: ['False', 'ProgrammingFailed'] },
        },
      },
      { GuestProvisioned: 'False ProgrammingFailed' },
      {},
    ],
    [
      'no handshake yet',
      { said: { vm1: { ...well, TunnelEstablished: ['Unknown', 'NoHandshake'] } } },
      { TunnelEstablished: 'Unknown NoHandshake', Ready: 'True Ready' },
      {},
    ],
    [
      'of a stale agent',
      { said: { vm1: well }, health: 'stale' },
      {
        GuestProvisioned: 'Unknown AgentStale',
        TunnelEstablished: 'Unknown AgentStale',
        Ready: 'Unknown AgentStale',
      },
      { GuestProvisioned: 'VM vm1 on n1: its agent has not been heard from' },
    ],
    [
      'that failed, of a stale agent',
      { said: { vm1: { GuestProvisioned: ['False', 'ProgrammingFailed'] } }, health: 'stale' },
      { GuestProvisioned: 'Unknown AgentStale' },
      {},
    ],
    [
      'of a stale agent, with Direct',
      {
        network: direct,
        said: { vm1: { ...well, Enforced: ['False', 'NotHostEnforced'] } },
        health: 'stale',
      },
      {
        GuestProvisioned: 'Unknown AgentStale',
        TunnelEstablished: 'Unknown NotHostEnforced',
        Ready: 'Unknown AgentStale',
      },
      {},
    ],
    [
      'not asked for, of a stale agent',
      { network: network('one'), health: 'stale' },
      { GuestProvisioned: 'False NotRequested', TunnelEstablished: 'Unknown AgentStale' },
      {},
    ],
    [
      'in doubt, and was well',
      { said: { vm1: well }, health: 'doubt' },
      { GuestProvisioned: 'True Provisioned', TunnelEstablished: 'True HandshakeSeen' },
      {},
    ],
    [
      'in doubt, and was stale',
      {
        network: { ...guest, status: statusOf({ network: guest, health: 'stale' }).status },
        said: { vm1: well },
        health: 'doubt',
      },
      { GuestProvisioned: 'Unknown AgentStale', TunnelEstablished: 'Unknown AgentStale' },
      {},
    ],
    [
      'in doubt, and was stale, with Direct',
      {
        network: { ...direct, status: statusOf({ network: direct, health: 'stale' }).status },
        said: { vm1: { ...well, Enforced: ['False', 'NotHostEnforced'] } },
        health: 'doubt',
      },
      { GuestProvisioned: 'Unknown AgentStale' },
      {},
    ],
    [
      'of a network that is refused',
      { network: network('one', { wireGuard: { peerPublicKey, addresses, strict: false } }) },
      {
        Accepted: 'False DeniedByClass',
        GuestProvisioned: 'Unknown Pending',
        TunnelEstablished: 'Unknown Pending',
      },
      { GuestProvisioned: 'the network is refused; nothing passes' },
    ],
  ])('%s', (_, given, expected, messages) => {
    const planned = statusOf({ network: guest, ...given });
    expect(conditionsOf(planned)).toMatchObject(expected);
    expect(messagesOf(planned)).toMatchObject(messages);
    expect(vmNetworkStatusSchema.safeParse(planned.status).error).toBeUndefined();
  });

  test('on two hosts, with one address for both: that is said, and who has it', () => {
    const vms = ['vm1', 'vm2'].map((name, index) => selected(vm(name, {}, `n${index + 1}`), guest));
    const good = { status: 'True', reason: 'Verified', message: '' } as const;
    const card = {
      programmed: good,
      enforced: good,
      provisioned: good,
      tunnel: null,
      bypassed: null,
      stale: false,
    };
    const planned = planConditions({
      end: '',
      network: guest,
      judgement: judge(guest, networkClass(), [], { state: 'none' }),
      vms,
      plan: { create: [], update: [], remove: [], release: [], waiting: [], desired: 2 },
      cards: [
        { ...card, title: 'one', nodeName: 'n1' },
        { ...card, title: 'two', nodeName: 'n2' },
      ],
    });
    expect(planned).toContainEqual({
      ...{ type: 'GuestProvisioned', status: 'False', reason: 'AddressesTaken' },
      message: expect.stringMatching(
        /^one has the addresses .*10\.99\.0\.2\/32, and so have two: .* a VMNetwork of its own/,
      ),
    });
    expect(planned).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  test('on two hosts, one of them stale: that says most of what is not known', () => {
    const vms = ['vm1', 'vm2'].map((name, index) => selected(vm(name, {}, `n${index + 1}`), guest));
    const enforced = { status: 'True', reason: 'Verified', message: '' } as const;
    const card = { programmed: enforced, enforced, provisioned: null, tunnel: null, bypassed: null };
    const unheard = { status: 'Unknown', reason: 'AgentStale', message: 'gone quiet' } as const;
    const planned = planConditions({
      end: '',
      network: guest,
      judgement: judge(guest, networkClass(), [], { state: 'none' }),
      vms,
      plan: { create: [], update: [], remove: [], release: [], waiting: [], desired: 2 },
      cards: [
        { ...card, title: 'one', nodeName: 'n1', stale: false },
        { ...card, title: 'two', nodeName: 'n2', stale: true, provisioned: unheard, tunnel: unheard },
      ],
    });
    const said = planned.filter(({ type }) => ['GuestProvisioned', 'TunnelEstablished'].includes(type));
    expect(said.map(({ status, reason, message }) => `${status} ${reason} ${message}`)).toEqual([
      'Unknown AgentStale two: gone quiet',
      'Unknown AgentStale two: gone quiet',
    ]);
  });

  test.each<[string, (Said | null)[], string[]]>([
    ['none was given a firewall', [null, null], []],
    [
      'one did',
      [said('False', 'NoneSeen'), said('True', 'SentPastFirewall')],
      ['True SentPastFirewall two: told'],
    ],
    ['of one it is not known', [said('Unknown', 'AgentStale'), null], ['Unknown AgentStale one: told']],
    [
      'none did',
      [said('False', 'NoneSeen'), null],
      ['False NoneSeen nothing was seen that the firewall of 1 of 2 guests would have stopped'],
    ],
  ])('of guests that may have sent past their firewall: %s', (_what, told, expected) => {
    const vms = ['vm1', 'vm2'].map((name, index) => selected(vm(name, {}, `n${index + 1}`), guest));
    const good = said('True', 'Verified');
    const card = { programmed: good, enforced: good, provisioned: good, tunnel: null, stale: false };
    const planned = planConditions({
      end: '',
      network: guest,
      judgement: judge(guest, networkClass(), [], { state: 'none' }),
      vms,
      plan: { create: [], update: [], remove: [], release: [], waiting: [], desired: 2 },
      cards: told.map((bypassed, at) => ({
        ...card,
        bypassed,
        title: ['one', 'two'][at] ?? '',
        nodeName: `n${at}`,
      })),
    });
    const found = planned.filter(({ type }) => type === 'GuestFirewallBypassed');
    expect(found.map(({ status, reason, message }) => `${status} ${reason} ${message}`)).toEqual(expected);
    // The host holds them all the same.
    expect(planned).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  // In these the host publishes no sealing key.
  const secret: Given['secret'] = { state: 'ok', uid: 'u', resourceVersion: '1' };
  const promised = network('one', { wireGuard: { peerPublicKey, addresses, presharedKeySecretRef } });
  const remedy = expect.stringMatching(
    /VMNetworkNode n1\)\. Ask the provider to update or restart the agent/,
  );

  test.each<[string, Given, Record<string, string>]>([
    ['its agent says nothing', {}, { TunnelEstablished: 'Unknown Pending' }],
    [
      'its agent sees no tunnel in the policy',
      {
        said: {
          vm1: { GuestProvisioned: ['False', 'NotRequested'], TunnelEstablished: ['False', 'NotRequested'] },
        },
      },
      { TunnelEstablished: 'False Pending' },
    ],
    ['its agent claims more', { said: { vm1: well } }, { TunnelEstablished: 'True HandshakeSeen' }],
    ['its agent has not answered', { said: { vm1: null } }, { Enforced: 'False Pending' }],
    ['its attachment is not made yet', { noAttachments: true }, { Enforced: 'False Pending' }],
    [
      'its agent is stale',
      { health: 'stale' },
      { Enforced: 'Unknown AgentStale', Ready: 'False AgentStale' },
    ],
  ])('are not provisioned, and not Ready, without the key that was promised: %s', (_, given, expected) => {
    const planned = statusOf({ network: promised, secret, ...given });
    expect(conditionsOf(planned)).toMatchObject({
      GuestProvisioned: 'False Pending',
      Ready: 'False Pending',
      ...expected,
    });
    expect(messagesOf(planned)['GuestProvisioned']).toEqual(remedy);
  });

  test('are Ready without a key where they are not to be provisioned at all', () => {
    const unasked = network('one', { wireGuard: { presharedKeySecretRef } });
    expect(conditionsOf(statusOf({ network: unasked, secret }))).toMatchObject({
      GuestProvisioned: 'False NotRequested',
      Ready: 'True Ready',
    });
  });
});
