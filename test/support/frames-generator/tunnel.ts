import type { Circumstances, Direction } from '../../../src/filter/filtering-strategy.ts';
import { PLAIN } from '../../../src/filter/filtering-strategy.ts';
import type { TunnelWatch } from '../../../src/filter/tunnel-watch.ts';
import type { Asked, Session, TunnelSeen } from '../../../src/native/tunnel.ts';
import { CAST, DIRECT, fromGuest, PINNED, toGuest } from '../frames/cast.ts';
import { Mode, policyBytes, type PolicyFields } from '../frames/policy-bytes.ts';
import { wireGuardMessage, type MessageFields } from '../frames/wireguard.ts';
import { Dice } from './dice.ts';
import { inForce, type GeneratedPolicy } from './policy.ts';

/** A datagram with something like a message in it. */
export interface TunnelScenario {
  readonly direction: Direction;
  readonly policy: GeneratedPolicy;
  readonly message: MessageFields;
  readonly frame: Uint8Array;
  readonly circumstances: Circumstances;
}

/** So few that answers often meet their questions, and strangers too. */
const INDICES = 4;
const SECOND_NS = 1_000_000_000n;

const POLICIES = [
  { ...PINNED },
  { ...PINNED, strict: true },
  { ...PINNED, mode: Mode.conntrack },
  { ...PINNED, mode: Mode.sampled, samplePerMillion: 500_000 },
  { ...PINNED, ...DIRECT },
  { ...PINNED, endpoint: CAST.previous },
].map(generated);

/** The same for the same seed: messages of one VM and its consumer, each a moment after the last. */
export function* wireGuardScenarios(seed: number, count: number): Generator<[number, TunnelScenario]> {
  const dice = new Dice(seed);
  let nowNs = SECOND_NS;
  let policy = dice.pick(POLICIES);
  for (let index = 0; index < count; index += 1) {
    nowNs += dice.chance(0.02) ? 60n * SECOND_NS : BigInt(dice.below(1_000_000_000));
    if (dice.chance(0.01)) policy = dice.pick(POLICIES);
    const direction = dice.pick<Direction>(['from-vm', 'to-vm']);
    const message = {
      type: dice.pick([1, 1, 2, 2, 3, 4, 4, 4, 5]),
      sender: dice.below(INDICES),
      receiver: dice.below(INDICES),
      ...(dice.chance(0.05) ? { bytes: dice.pick([0, 3, 4, 40, 91, 147, 149]) } : {}),
      ...(dice.chance(0.03) ? { reserved: [0, 0, 1] } : {}),
    };
    const cast = { ...CAST, ...policy.fields, ...(dice.chance(0.03) ? { endpoint: CAST.previous } : {}) };
    const twist = { udp: { payload: wireGuardMessage(message), checksum: 0 } };
    const frame = direction === 'from-vm' ? fromGuest(cast, twist) : toGuest(cast, twist);
    const circumstances = { ...PLAIN, nowNs, nonce: dice.word64() };
    yield [index, { direction, policy, message, frame, circumstances }];
  }
}

function generated(fields: PolicyFields): GeneratedPolicy {
  return { fields, bytes: policyBytes(fields), inForce: inForce(fields) };
}

/** What there is to compare, by whomever it was seen. */
export interface Compared {
  readonly address: string;
  readonly port: number;
  readonly asked: Readonly<Record<Direction, Asked | null>>;
  readonly offered: Session | null;
  readonly session: Session | null;
  readonly handshakes: bigint;
  readonly dataNs: Readonly<Record<Direction, bigint | null>>;
  readonly used: number | null;
}

/** As the C says it: what is void there is null here. */
export function seenOf(seen: TunnelSeen): Compared {
  const asked = (one: Asked) => (one.lastNs === 0n ? null : one);
  const session = (one: Session) => (one.timeNs === 0n ? null : one);
  const time = (ns: bigint) => (ns === 0n ? null : ns);
  return {
    address: seen.address,
    port: seen.port,
    asked: { 'from-vm': asked(seen.askedByVm), 'to-vm': asked(seen.askedByConsumer) },
    offered: session(seen.offered),
    session: session(seen.session),
    handshakes: seen.handshakes,
    dataNs: { 'from-vm': time(seen.dataFromVmNs), 'to-vm': time(seen.dataToVmNs) },
    used: seen.used,
  };
}

export function fromReference(seen: TunnelWatch['seen']): Compared {
  const nothing = { 'from-vm': null, 'to-vm': null };
  return {
    address: seen?.endpoint.address.toString() ?? '0.0.0.0',
    port: seen?.endpoint.port ?? 0,
    asked: seen?.asked ?? nothing,
    offered: seen?.offered ?? null,
    session: seen?.session ?? null,
    handshakes: BigInt(seen?.handshakes ?? 0),
    dataNs: seen?.dataNs ?? nothing,
    used: seen?.used ?? null,
  };
}
