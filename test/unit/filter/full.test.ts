import { describe, expect, test } from '@jest/globals';
import { EndpointAllowlist } from '../../../src/filter/endpoint-allowlist.ts';
import { udpEndpoint } from '../../../src/filter/endpoint.ts';
import type { PolicyInForce } from '../../../src/filter/filter-policy.ts';
import type { Circumstances, Direction } from '../../../src/filter/filtering-strategy.ts';
import { Full } from '../../../src/filter/full.ts';
import type { Verdict } from '../../../src/filter/verdict.ts';
import {
  arpAnswer,
  arpRequest,
  CAST,
  fromGuest,
  PINNED,
  STRANGER,
  toGuest,
} from '../../support/frames/cast.ts';
import { CountingAllowlist } from '../../support/allowlist/counting-allowlist.ts';
import { EtherType, ethernet, tagged } from '../../support/frames/ethernet.ts';
import { circumstancesWith } from '../../support/frames-generator/judged.ts';
import { address, inForce } from '../../support/frames-generator/policy.ts';

const policy = inForce(PINNED);

function judged(
  direction: Direction,
  frame: Uint8Array,
  { under = policy, ...beside }: Partial<Circumstances> & { under?: PolicyInForce } = {},
): Verdict {
  return new Full().judge(direction, under, frame, circumstancesWith({ nowNs: 0n, ...beside }));
}

test('[FS-1] every frame is judged: the list is asked about each datagram, as often as it comes', () => {
  const endpoints = new CountingAllowlist(policy.endpoints);
  const under = { ...policy, endpoints };
  for (let frame = 1; frame <= 1000; frame += 1) {
    const [direction, bytes] =
      frame % 2 === 0 ? (['from-vm', fromGuest(CAST)] as const) : (['to-vm', toGuest(CAST)] as const);
    expect(judged(direction, bytes, { under }).reason).toBe('Allowed');
    expect(endpoints.lookups).toBe(frame);
  }
  const elsewhere = fromGuest(CAST, { ip: { destination: STRANGER.address } });
  expect(judged('from-vm', elsewhere, { under }).reason).toBe('DestinationAddress');
  expect(endpoints.lookups).toBe(1001);
});

describe('a verdict', () => {
  test('lets the one conversation pass, both ways', () => {
    const allowed = { action: 'allow', reason: 'Allowed', reasonCode: 0, audited: false };
    expect(judged('from-vm', fromGuest(CAST))).toEqual(allowed);
    expect(judged('to-vm', toGuest(CAST))).toEqual(allowed);
  });

  test('drops with the number that counters know', () => {
    const elsewhere = fromGuest(CAST, { ip: { destination: STRANGER.address } });
    expect(judged('from-vm', elsewhere)).toEqual({
      action: 'drop',
      reason: 'DestinationAddress',
      reasonCode: 40,
      audited: false,
    });
  });

  test('answers the question for the gateway to the byte, and lets only that answer out', () => {
    const { answer, ...verdict } = judged('from-vm', arpRequest(CAST));
    expect(verdict).toEqual({ action: 'reply', reason: 'ArpAnswered', reasonCode: 2, audited: false });
    expect(answer).toEqual(arpAnswer(CAST));
    expect(judged('to-vm', arpAnswer(CAST), { ownAnswer: true })).toMatchObject({ action: 'allow' });
    expect(judged('to-vm', arpAnswer(CAST))).toMatchObject({ action: 'drop', reason: 'ArpFromHost' });
    for (let at = 0; at < arpAnswer(CAST).length; at += 1) {
      const damaged = arpAnswer(CAST);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect([at, judged('to-vm', damaged, { ownAnswer: true }).action]).toEqual([at, 'drop']);
    }
  });
});

test.each([
  ['none', 'NoPolicy'],
  ['foreign', 'PolicyAbi'],
] as const)('policy %s: nothing passes', (under, reason) => {
  for (const frame of [fromGuest(CAST), arpRequest(CAST), new Uint8Array()])
    expect(judged('from-vm', frame, { under })).toMatchObject({ action: 'drop', reason });
});

test('quarantined: nothing passes, not even what is allowed twice', () => {
  const previous = { ...CAST.previous, untilNs: 1n };
  const under = inForce({ ...PINNED, quarantined: true, previous });
  for (const frame of [
    fromGuest(CAST),
    fromGuest(CAST, { ip: { destination: previous.address } }),
    arpRequest(CAST),
  ])
    expect(judged('from-vm', frame, { under }).reason).toBe('Quarantined');
  expect(judged('to-vm', toGuest(CAST), { under }).reason).toBe('Quarantined');
});

test('[AL-1] a policy whose list is empty blocks everything but ARP', () => {
  const under = { ...policy, endpoints: new EndpointAllowlist() };
  expect(judged('from-vm', fromGuest(CAST), { under }).reason).toBe('DestinationAddress');
  expect(judged('to-vm', toGuest(CAST), { under }).reason).toBe('SourceAddress');
});

test('[AL-3] the old endpoint is refused at once when the list of a policy is replaced', () => {
  const endpoints = new EndpointAllowlist([udpEndpoint(address(CAST.endpoint.address), CAST.endpoint.port)]);
  const under = { ...policy, endpoints };
  expect(judged('from-vm', fromGuest(CAST), { under }).reason).toBe('Allowed');
  endpoints.replace([udpEndpoint(address(STRANGER.address), CAST.endpoint.port)]);
  expect(judged('from-vm', fromGuest(CAST), { under }).reason).toBe('DestinationAddress');
  const toStranger = fromGuest(CAST, { ip: { destination: STRANGER.address } });
  expect(judged('from-vm', toStranger, { under }).reason).toBe('Allowed');
});

test('[EF-5] unknown EtherTypes, lengths and VLAN tags are dropped as such', () => {
  const ends = { source: CAST.guestMac, destination: CAST.gatewayMac };
  expect(judged('from-vm', ethernet({ ...ends, etherType: EtherType.lldp })).reason).toBe('EtherType');
  expect(judged('from-vm', ethernet({ ...ends, etherType: 46 })).reason).toBe('EtherType');
  for (const tpid of [0x8100, 0x88a8, 0x9100])
    expect(judged('from-vm', tagged(fromGuest(CAST), { tpid, vlan: 1 })).reason).toBe('Vlan');
  expect(judged('from-vm', fromGuest(CAST), { vlanInMetadata: true }).reason).toBe('Vlan');
});
