import { describe, expect, test } from '@jest/globals';
import { parseManifest } from '../../../../src/api/manifest.ts';
import type { VmNetwork } from '../../../../src/api/v1alpha1/vm-network.ts';
import { manifestGuests } from '../../../../src/agent/source/manifest-guests.ts';
import type { CardIntent, RecordedCard } from '../../../../src/agent/source/wanted.ts';
import { cardKeyOf } from '../../../../src/agent/wiring/card-key.ts';
import { manifestText } from '../../../support/stage/manifest.ts';

const PEER = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const TUNNEL = `peerPublicKey: ${PEER}, addresses: [10.99.0.2/32]`;

function networks(...more: string[]): Map<string, VmNetwork> {
  const text = manifestText({ name: 'net', endpoint: { address: '203.0.113.10', port: 51900 }, more });
  const { objects, problems } = parseManifest(text, 'net.yaml');
  expect(problems).toEqual([]);
  return new Map(objects.map(({ object }) => ['tenant/net', object as VmNetwork]));
}

function card(vmId: string, more: Partial<CardIntent> = {}): CardIntent {
  const intent = {} as NonNullable<CardIntent['intent']>;
  return { vmId, mac: '52:54:00:00:00:01', intent, network: 'tenant/net', reason: '', ...more };
}

function record(of: CardIntent, hasKey: boolean): [string, RecordedCard] {
  const { vmId, mac, network } = of;
  return [cardKeyOf(of), { vmId, mac, network, guestAddress: '100.64.0.2', hasKey }];
}

const [a, b] = [card('a'), card('b')];

describe('what manifests want guests to be told', () => {
  test('is the tunnel, and nothing without the key of the consumer, or where the network gives nothing', () => {
    const told = manifestGuests([a], new Map(), networks(`wireGuard: {${TUNNEL}}`));
    expect([...told]).toEqual([[cardKeyOf(a), expect.objectContaining({ objection: null })]]);
    expect(manifestGuests([a], new Map(), networks()).size).toBe(0);
    const none = networks(`wireGuard: {${TUNNEL}}`, 'cloudInit: {delivery: None}');
    expect(manifestGuests([a], new Map(), none).size).toBe(0);
  });

  test('is nothing of a card that is denied, whoever denies it', () => {
    const denied = card('a', { intent: null });
    expect(manifestGuests([denied], new Map(), networks(`wireGuard: {${TUNNEL}}`)).size).toBe(0);
  });

  test('is one tunnel for one VM: who was given it keeps it, and the others are told who has it', () => {
    const wanted = networks(`wireGuard: {${TUNNEL}}`);
    const objections = (records: [string, RecordedCard][]) => {
      const told = manifestGuests([b, a], new Map(records), wanted);
      return [a, b].map((one) => told.get(cardKeyOf(one))?.objection?.message ?? null);
    };
    expect(objections([])).toEqual([null, expect.stringMatching(/^VM a has .*10\.99\.0\.2\/32/)]);
    expect(objections([record(b, true), record(a, false)])).toEqual([
      expect.stringMatching(/^VM b has/),
      null,
    ]);
  });

  test('is nothing without the pre-shared key, which no agent reads', () => {
    const secret = networks(`wireGuard: {${TUNNEL}, presharedKeySecretRef: {name: psk, key: psk}}`);
    expect(manifestGuests([a], new Map(), secret).get(cardKeyOf(a))?.objection).toMatchObject({
      ...{ status: 'False', reason: 'InvalidSecret' },
      message: expect.stringContaining('--preshared-key-file'),
    });
  });
});
