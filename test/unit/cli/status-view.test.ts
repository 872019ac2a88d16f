import { describe, expect, test } from '@jest/globals';
import type { Condition } from '../../../src/api/v1alpha1/conditions.ts';
import type { AgentStatus } from '../../../src/agent/status/status.ts';
import type { SeenStatus } from '../../../src/cli/agent/agent-status.ts';
import { isAsAsked, kernelText, statusText } from '../../../src/cli/status/status-view.ts';
import { attachment, network, status } from './agent-server.ts';

const plain = (_: unknown, text: string): string => text;
const seen = (value: AgentStatus): SeenStatus => value as unknown as SeenStatus;

describe('statusText', () => {
  test('networks and attachments', () => {
    expect(statusText(seen(status()), plain)).toBe(
      [
        'NETWORK               MODE      ENDPOINT            READY  ENFORCED  ATTACHED  FILE',
        'tenant-a/rental-7f3a  Filtered  203.0.113.10:51900  True   True      1/1       rental.yaml',
        '',
        'VM           NETWORK               TAP             ADDRESS     STATE     ENDPOINT            GENERATION  IN USE  TUNNEL               MESSAGE',
        'rental-7f3a  tenant-a/rental-7f3a  vmn-0123456789  100.64.0.5  Enforced  203.0.113.10:51900           4  yes     HandshakeSeen, 42 s  -',
        '',
      ].join('\n'),
    );
  });

  test('nothing yet', () => {
    expect(statusText(seen(status({ networks: [], attachments: [] })), plain)).toBe(
      'No VMNetwork in /etc/vmnetwork: every VM here is denied.\n',
    );
    expect(statusText(seen(status({ networks: [] })), plain)).toMatch(/^No VMNetwork .*\n\nVM +NETWORK/);
    const { agent } = status();
    const inCluster = status({ agent: { ...agent, manifests: null }, networks: [], attachments: [] });
    expect(statusText(seen(inCluster), plain)).toBe(
      'No VMNetworkAttachment for this host in the cluster: every VM here is denied.\n',
    );
    expect(statusText(seen(status({ attachments: [] })), plain)).toMatch(/^NETWORK .*\n.*\n$/);
    expect(kernelText([], plain)).toBe('No VM has a filter on this host.\n');
  });

  test('problems with their remedies; hostile text cannot leave its line', () => {
    const conditions = network().conditions.map((item) =>
      item.type === 'Accepted'
        ? {
            ...item,
            status: 'False' as const,
            reason: 'Unsupported' as const,
            message: 'use\u001b[2J Filtered',
          }
        : item,
    );
    const text = statusText(
      seen(
        status({
          networks: [network({ mode: 'Sampled', conditions })],
          attachments: [
            attachment({ state: 'Denied', enforced: null, inUse: false, message: 'refused\nok' }),
          ],
          problems: [
            {
              code: 'VMN_MANIFEST_INVALID',
              file: 'b.yaml',
              line: 9,
              field: 'spec.consumerEndpoint.port',
              value: '65536',
              message: 'must be at most 65535',
              remedy: 'Correct it.',
            },
          ],
        }),
      ),
      plain,
    );
    expect(text.split('\n').slice(4)).toEqual([
      'rental-7f3a  tenant-a/rental-7f3a  vmn-0123456789  100.64.0.5  Denied  -                  -  no      HandshakeSeen  refused\\x0aok',
      '',
      'PROBLEMS',
      'tenant-a/rental-7f3a: Accepted=False, Unsupported: use\\x1b[2J Filtered',
      'b.yaml:9: spec.consumerEndpoint.port: 65536: must be at most 65535 [VMN_MANIFEST_INVALID]',
      '  Correct it.',
      '',
    ]);
  });

  test('a guest that sends past its firewall is a problem to look at, and nothing is less enforced', () => {
    const seenSo = (is: 'True' | 'False'): SeenStatus => {
      const bypassed: Condition = {
        type: 'GuestFirewallBypassed',
        status: is,
        observedGeneration: 1,
        reason: 'SentPastFirewall',
        message: 'VM a: since',
        lastTransitionTime: '2026-01-31T12:00:00Z',
      };
      return seen(status({ networks: [network({ conditions: [...network().conditions, bypassed] })] }));
    };
    expect(statusText(seenSo('True'), plain)).toContain(
      'PROBLEMS\ntenant-a/rental-7f3a: GuestFirewallBypassed=True, SentPastFirewall: VM a: since\n',
    );
    expect(isAsAsked(seenSo('True'))).toBe(true);
    expect(statusText(seenSo('False'), plain)).not.toContain('PROBLEMS');
  });

  test('states are coloured by what they mean', () => {
    const tones: [string, string][] = [];
    const paint = (tone: string, text: string): string => {
      tones.push([tone, text.trim()]);
      return text;
    };
    statusText(seen(status({ attachments: [attachment(), attachment({ state: 'Error' })] })), paint);
    expect(tones).toEqual([
      ['good', 'True'],
      ['good', 'True'],
      ['good', 'Enforced'],
      ['bad', 'Error'],
    ]);
  });
});

describe('isAsAsked', () => {
  const notReady = network().conditions.map((item) => ({ ...item, status: 'Unknown' as const }));
  const problem = { code: 'VMN_MANIFEST_SYNTAX', file: 'a', message: 'm', remedy: 'r' } as const;
  test.each<[string, boolean, Partial<AgentStatus>]>([
    ['all enforced', true, {}],
    ['nothing asked for', true, { networks: [], attachments: [] }],
    [
      'a VM that is denied as intended',
      true,
      { attachments: [attachment({ state: 'Denied', network: null })] },
    ],
    ['a VM held in part, as asked', true, { attachments: [attachment({ state: 'Programmed' })] }],
    ['a network that is not ready', false, { networks: [network({ conditions: notReady })] }],
    ['a network without conditions', false, { networks: [network({ conditions: [] })] }],
    ['an attachment on its way', false, { attachments: [attachment({ state: 'Pending' })] }],
    ['an attachment in error', false, { attachments: [attachment({ state: 'Error' })] }],
    ['a problem', false, { problems: [problem] }],
  ])('%s: %p', (_, asAsked, change) => {
    expect(isAsAsked(seen(status(change)))).toBe(asAsked);
  });
});
