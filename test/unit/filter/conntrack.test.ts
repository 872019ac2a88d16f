import { describe, expect, test } from '@jest/globals';
import { Conntrack } from '../../../src/filter/conntrack.ts';
import type { FilterPolicy } from '../../../src/filter/filter-policy.ts';
import { FlowTable } from '../../../src/filter/flow-table.ts';
import { newFilterMemory } from '../../../src/filter/filter-memory.ts';
import { strategyFor } from '../../../src/filter/strategy.ts';
import { CountingAllowlist } from '../../support/allowlist/counting-allowlist.ts';
import { arpRequest, CAST, fromGuest, STRANGER, toGuest, type Twist } from '../../support/frames/cast.ts';
import { Mode, type PolicyFields } from '../../support/frames/policy-bytes.ts';
import { wireGuardShape } from '../../support/frames/wireguard.ts';
import { circumstancesWith, fromVm, policyWith, toVm } from '../../support/frames-generator/judged.ts';
import { NOW } from '../../support/frames-generator/policy.ts';

interface Stage {
  policy: FilterPolicy;
  list: CountingAllowlist;
  flows: FlowTable;
  strategy: Conntrack;
  from: (twist?: Twist) => string;
  to: (twist?: Twist) => string;
}

function stage(fields: Partial<PolicyFields> = {}, flows = new FlowTable()): Stage {
  const plain = policyWith({ mode: Mode.conntrack, ...fields });
  const list = new CountingAllowlist(plain.endpoints);
  const policy = { ...plain, endpoints: list };
  const strategy = new Conntrack(flows);
  return {
    policy,
    list,
    flows,
    strategy,
    from: (twist) => fromVm(strategy, policy)(fromGuest(CAST, twist)).reason,
    to: (twist) => toVm(strategy, policy)(toGuest(CAST, twist)).reason,
  };
}

const fromPort = (sourcePort: number): Twist => ({ udp: { sourcePort } });

describe('[FS-2] conntrack', () => {
  test('asks the list about the first frame of a flow, and about no later one, either way', () => {
    const { from, to, list } = stage();
    expect(from()).toBe('Allowed');
    expect(list.lookups).toBe(1);
    for (let frame = 0; frame < 100; frame += 1) {
      expect(from()).toBe('AllowedFlow');
      expect(to()).toBe('AllowedFlow');
    }
    expect(list.lookups).toBe(1);
    expect(from(fromPort(40_001))).toBe('Allowed');
    expect(list.lookups).toBe(2);
  });

  test('the endpoint may speak first as well', () => {
    const { from, to, list } = stage();
    expect([to(), from(), to()]).toEqual(['Allowed', 'AllowedFlow', 'AllowedFlow']);
    expect(list.lookups).toBe(1);
  });

  test('a bad flow is a violation, with its first frame and with every one', () => {
    const memory = newFilterMemory();
    const policy = policyWith({ mode: Mode.conntrack, violation: { threshold: 3, windowMs: 1000 } });
    const strategy = strategyFor(policy, memory);
    const elsewhere = fromGuest(CAST, { ip: { destination: STRANGER.address } });
    const crossings = [1, 2, 3, 4].map((ms) => {
      const beside = circumstancesWith({ nowNs: NOW + BigInt(ms) * 1_000_000n });
      const { action, reason } = strategy.judge('from-vm', policy, elsewhere, beside);
      expect({ action, reason }).toEqual({ action: 'drop', reason: 'DestinationAddress' });
      return memory.violations.crossings;
    });
    expect(crossings).toEqual([0, 0, 1, 1]);
    expect(memory.flows.size).toBe(0);
  });

  test('what is dropped, or passes for another reason, is no flow', () => {
    const { from, to, strategy, policy, flows } = stage({ strict: true });
    expect(from({ ip: { destination: STRANGER.address } })).toBe('DestinationAddress');
    expect(from({ udp: { payload: wireGuardShape(4, 33) } })).toBe('NotWireGuard');
    expect(from({ ip: { checksum: 1 } })).toBe('IpChecksum');
    expect(to({ udp: { destinationPort: 0 } })).toBe('DestinationPort');
    expect(fromVm(strategy, policy)(arpRequest(CAST)).action).toBe('reply');
    expect(flows.size).toBe(0);
    expect(from()).toBe('Allowed');
    expect(flows.size).toBe(1);
  });

  test('the table is bounded: of 5000 flows it keeps 512, and the others are asked about again', () => {
    const { from, flows, list } = stage();
    for (let port = 1; port <= 5000; port += 1) expect(from(fromPort(port))).toBe('Allowed');
    expect(flows.size).toBe(512);
    expect(list.lookups).toBe(5000);
    // The newest are surely known: no set of eight has had as many since.
    expect(from(fromPort(5000))).toBe('AllowedFlow');
    expect(from(fromPort(1))).toBe('Allowed');
    expect(flows.size).toBe(512);
  });

  test('a flow in use stays while others come and go', () => {
    const { from } = stage();
    expect(from(fromPort(60_000))).toBe('Allowed');
    for (let port = 1; port <= 3000; port += 1) {
      from(fromPort(port));
      expect(from(fromPort(60_000))).toBe('AllowedFlow');
    }
  });

  test('[SB-9] a change of policy ends old flows at once', () => {
    const flows = new FlowTable();
    const before = stage({ generation: 1n }, flows);
    expect([before.from(), before.from()]).toEqual(['Allowed', 'AllowedFlow']);

    const sameAgain = stage({ generation: 2n }, flows);
    expect([sameAgain.from(), sameAgain.list.lookups]).toEqual(['Allowed', 1]);

    const elsewhere = { address: STRANGER.address, port: 51_900 };
    const after = stage({ generation: 3n, endpoint: elsewhere }, flows);
    expect([after.from(), after.to()]).toEqual(['DestinationAddress', 'SourceAddress']);
    expect(after.from({ ip: { destination: STRANGER.address } })).toBe('Allowed');
    // Only with its own generation, which never comes back, would an old flow be known.
    expect(before.from()).toBe('AllowedFlow');
  });

  test('a new secret ends old flows too', () => {
    const flows = new FlowTable();
    stage({ secret: new Uint8Array(16).fill(1) }, flows).from();
    expect(stage({ secret: new Uint8Array(16).fill(2) }, flows).from()).toBe('Allowed');
  });

  test('a flow with the previous endpoint is never remembered: it ends when the grace does', () => {
    const previous = { ...CAST.previous, untilNs: NOW + 1n };
    const { strategy, policy, flows, list } = stage({ previous });
    const { address, port } = CAST.previous;
    const old = fromGuest(CAST, { ip: { destination: address }, udp: { destinationPort: port } });
    const judged = fromVm(strategy, policy);
    for (let frame = 1; frame <= 10; frame += 1) {
      expect(judged(old, { nowNs: NOW }).reason).toBe('AllowedPreviousEndpoint');
      expect(list.lookups).toBe(frame);
    }
    expect(flows.size).toBe(0);
    expect(judged(old, { nowNs: NOW + 1n }).reason).toBe('PreviousEndpointExpired');
  });

  test('what only Audit lets pass is never remembered', () => {
    const memory = newFilterMemory();
    const policy = policyWith({ mode: Mode.conntrack, audit: true });
    const judged = fromVm(strategyFor(policy, memory), policy);
    const elsewhere = fromGuest(CAST, { ip: { destination: STRANGER.address } });
    for (let frame = 0; frame < 3; frame += 1)
      expect(judged(elsewhere)).toMatchObject({
        action: 'allow',
        audited: true,
        reason: 'DestinationAddress',
      });
    expect(memory.flows.size).toBe(0);
  });
});

describe('[FS-2] within a known flow', () => {
  test('who the guest is, and that the frame is sound, is looked at still', () => {
    const { from, to, policy, strategy } = stage({ maxPacketBytes: 1500 });
    from();
    expect(from({ ethernet: { source: STRANGER.mac } })).toBe('SourceMac');
    expect(from({ ip: { source: STRANGER.address } })).toBe('SourceAddress');
    expect(from({ ip: { checksum: 1 } })).toBe('IpChecksum');
    expect(from({ ip: { moreFragments: true } })).toBe('IpFragment');
    expect(from({ ip: { options: new Uint8Array(4) } })).toBe('IpOptions');
    expect(from({ ip: { protocol: 6 } })).toBe('Protocol');
    expect(from({ udp: { length: 9 } })).toBe('UdpLength');
    expect(from({ udp: { payload: new Uint8Array(1473) } })).toBe('PacketTooBig');
    expect(to({ ip: { destination: STRANGER.address } })).toBe('DestinationAddress');
    const judged = fromVm(strategy, policy);
    expect(judged(fromGuest(CAST), { pendingChecksumAt: 36 }).reason).toBe('ChecksumOffload');
    expect(judged(fromGuest(CAST), { superFrame: { kind: 'other' } }).reason).toBe('SuperFrame');
    expect(from()).toBe('AllowedFlow');
  });

  test('the shape of WireGuard is not looked at again', () => {
    const { from } = stage({ strict: true });
    expect(from()).toBe('Allowed');
    expect(from({ udp: { payload: wireGuardShape(4, 33) } })).toBe('AllowedFlow');
  });

  test('another port or address on either side is another flow', () => {
    const { from } = stage();
    from();
    expect(from({ udp: { destinationPort: CAST.endpoint.port + 1 } })).toBe('DestinationPort');
    expect(from({ ip: { destination: STRANGER.address } })).toBe('DestinationAddress');
    expect(from(fromPort(1))).toBe('Allowed');
  });

  test('quarantine ends it, and it goes on afterwards', () => {
    const { from, policy, strategy } = stage();
    from();
    const quarantined = fromVm(strategy, { ...policy, quarantined: true });
    expect(quarantined(fromGuest(CAST)).reason).toBe('Quarantined');
    expect(fromVm(strategy, 'none')(fromGuest(CAST)).reason).toBe('NoPolicy');
    expect(from()).toBe('AllowedFlow');
  });
});
