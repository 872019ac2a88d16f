import type { Circumstances, Direction, SuperFrame } from '../../../src/filter/filtering-strategy.ts';
import { arpAnswer, arpRequest, fromGuest, GUEST_PORT, toGuest, type Cast } from '../frames/cast.ts';
import { concat } from '../frames/bytes.ts';
import { ethernet } from '../frames/ethernet.ts';
import { Protocol } from '../frames/ipv4.ts';
import { Mode } from '../frames/policy-bytes.ts';
import { tcp } from '../frames/tcp.ts';
import { WireGuard, wireGuardShape } from '../frames/wireguard.ts';
import { GeneratedClock } from './clock.ts';
import { Dice } from './dice.ts';
import { MUTATIONS, withRightChecksum } from './mutation.ts';
import { changedPolicy, generatePolicy, type GeneratedPolicy } from './policy.ts';

/** One frame to judge: mostly a valid one with something wrong about it. */
export interface Scenario {
  /** Whose frame it is. What a filter remembers of one VM does not touch another. */
  vm: number;
  direction: Direction;
  policy: GeneratedPolicy;
  frame: Uint8Array;
  circumstances: Circumstances;
  /** What was done to the frame. */
  mutations: readonly string[];
}

const VMS = 120;
const POLICIES_OF_A_VM = 3;

/**
 * The same scenarios for the same seed, without end. Time goes on from one to the next, mostly.
 *
 * @param measured false: no limits and no violation thresholds, for a filter whose clock is its own
 */
export function* scenarios(seed: number, { measured = true } = {}): Generator<Scenario, never> {
  const dice = new Dice(seed);
  const clock = new GeneratedClock();
  const vms = Array.from({ length: VMS }, () => policiesOfAVm(dice, measured));
  for (;;) {
    const vm = dice.below(VMS);
    yield scenario(dice, clock, vm, dice.pick(vms[vm] ?? []));
  }
}

function policiesOfAVm(dice: Dice, measured: boolean): GeneratedPolicy[] {
  const policies = [generatePolicy(dice, measured)];
  while (policies.length < POLICIES_OF_A_VM)
    policies.push(changedPolicy(dice, dice.pick(policies), measured));
  return policies;
}

export function scenario(dice: Dice, clock: GeneratedClock, vm: number, policy: GeneratedPolicy): Scenario {
  const direction = dice.pick<Direction>(['from-vm', 'to-vm']);
  const isArp = dice.chance(0.12);
  const names = Array.from({ length: dice.pick([0, 0, 1, 1, 2, 3]) }, () =>
    dice.pick(Object.keys(MUTATIONS)),
  );

  const superFrame = dice.chance(0.08) ? generateSuperFrame(dice) : null;
  let frame = isArp ? validArp(dice, direction, policy) : validDatagram(dice, direction, policy, superFrame);
  for (const name of names) frame = MUTATIONS[name]?.(frame, dice, policy.fields) ?? frame;
  if (!isArp && dice.chance(0.9)) frame = withRightChecksum(frame);
  const circumstances: Circumstances = {
    nowNs: clock.next(dice, policy.fields),
    nonce: dice.word64(),
    vlanInMetadata: dice.chance(0.02),
    superFrame,
    pendingChecksumAt: pendingChecksum(dice),
    ownAnswer: dice.chance(isArp ? 0.7 : 0.05),
  };
  return { vm, direction, policy, frame, circumstances, mutations: names };
}

function validArp(dice: Dice, direction: Direction, { fields }: GeneratedPolicy): Uint8Array {
  const cast = castOf(dice, fields);
  const usual = direction === 'from-vm' ? arpRequest : arpAnswer;
  return dice.chance(0.95) ? usual(cast) : arpRequest(cast, {}, { source: cast.gatewayMac });
}

function validDatagram(
  dice: Dice,
  direction: Direction,
  { fields }: GeneratedPolicy,
  superFrame: SuperFrame | null,
): Uint8Array {
  const cast = castOf(dice, fields);
  if (dice.chance(0.03)) {
    const ends = { source: cast.guestMac, destination: cast.gatewayMac };
    const turned = { source: cast.gatewayMac, destination: cast.guestMac };
    const etherType = dice.pick([0x86dd, 0x88cc, 0x0026]);
    return ethernet({ ...(direction === 'from-vm' ? ends : turned), etherType, payload: dice.bytes(40) });
  }
  if (superFrame?.kind === 'tcp' && dice.chance(0.8)) return validStream(dice, direction, cast);
  const payload = superFrame?.kind === 'udp' ? segments(dice, superFrame.segmentBytes) : message(dice);
  const port = guestPort(dice, fields.mode === Mode.conntrack);
  return direction === 'from-vm'
    ? fromGuest(cast, { udp: { payload, checksum: 0, sourcePort: port } })
    : toGuest(cast, { udp: { payload, checksum: 0, destinationPort: port } });
}

/** Sound, and of a protocol that only modes and policies which overlook whom the guest talks to let through. */
function validStream(dice: Dice, direction: Direction, cast: Cast): Uint8Array {
  const [source, destination] =
    direction === 'from-vm'
      ? [cast.guestAddress, cast.endpoint.address]
      : [cast.endpoint.address, cast.guestAddress];
  const payload = new Uint8Array(dice.pick([0, 1, 64, 1448, 1460, 4000, 60_000]));
  const segment = tcp({ source, destination, sourcePort: 443, destinationPort: 443, payload });
  const ip = { protocol: Protocol.tcp, payload: segment };
  return direction === 'from-vm' ? fromGuest(cast, { ip }) : toGuest(cast, { ip });
}

function message(dice: Dice): Uint8Array {
  const { type, bytes } = dice.pick(Object.values(WireGuard));
  return wireGuardShape(type, bytes);
}

/** Mostly the one that is known already; with flows, now and then one of so many that they do not all fit. */
function guestPort(dice: Dice, tracked: boolean): number {
  return tracked && dice.chance(0.5) ? 1 + dice.below(3000) : GUEST_PORT;
}

/** The policy's own people; the previous endpoint speaks now and then. */
function castOf(dice: Dice, fields: GeneratedPolicy['fields']): Cast {
  const previous = fields.previous ?? fields.endpoint;
  return { ...fields, previous, endpoint: dice.chance(0.3) ? previous : fields.endpoint };
}

function generateSuperFrame(dice: Dice): SuperFrame {
  if (dice.chance(0.2)) return { kind: 'other' };
  if (dice.chance(0.2))
    return { kind: 'tcp', segmentBytes: dice.pick([0, 1, 64, 480, 1448, 1460, 1461, 65_535]) };
  return { kind: 'udp', segmentBytes: dice.pick([0, 1, 3, 4, 32, 33, 64, 92, 148, 480, 1472, 65_535]) };
}

/** Messages that a segment holds each, the last one shorter now and then; or one message, whatever the segments. */
function segments(dice: Dice, segmentBytes: number): Uint8Array {
  if (segmentBytes > 1472 || dice.chance(0.2)) return message(dice);
  const type = { 64: 3, 92: 2, 148: 1 }[segmentBytes] ?? 4;
  const count = Math.min(
    dice.pick([1, 2, 3, 20, 127, 128, 129]),
    Math.floor(60_000 / Math.max(segmentBytes, 1)),
  );
  const whole = new Array<Uint8Array>(count).fill(wireGuardShape(type, segmentBytes));
  const last = dice.chance(0.5) ? [] : [wireGuardShape(4, dice.pick([1, 4, 32, 48]))];
  return concat(...whole, ...last);
}

function pendingChecksum(dice: Dice): number | null {
  if (dice.chance(0.85)) return null;
  return dice.chance(0.6) ? dice.pick([40, 40, 50]) : dice.pick([1, 14, 24, 36, 39, 41, 49, 51, 65535]);
}

export { metaOf } from './meta.ts';
