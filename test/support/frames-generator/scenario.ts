import type { Circumstances, Direction } from '../../../src/filter/filtering-strategy.ts';
import type { FrameMeta } from '../../../src/native/verdict.ts';
import { arpAnswer, arpRequest, fromGuest, toGuest, type Cast } from '../frames/cast.ts';
import { ethernet } from '../frames/ethernet.ts';
import { WireGuard, wireGuardShape } from '../frames/wireguard.ts';
import { Dice } from './dice.ts';
import { MUTATIONS, withRightChecksum } from './mutation.ts';
import { generatePolicy, NOW, type GeneratedPolicy } from './policy.ts';

/** One frame to judge: mostly a valid one with something wrong about it. */
export interface Scenario {
  direction: Direction;
  policy: GeneratedPolicy;
  frame: Uint8Array;
  circumstances: Circumstances;
  /** What was done to the frame. */
  mutations: readonly string[];
}

const POLICIES = 400;

/** The same scenarios for the same seed, without end. */
export function* scenarios(seed: number): Generator<Scenario, never> {
  const dice = new Dice(seed);
  const policies = Array.from({ length: POLICIES }, () => generatePolicy(dice));
  for (;;) yield scenario(dice, dice.pick(policies));
}

function scenario(dice: Dice, policy: GeneratedPolicy): Scenario {
  const direction = dice.pick<Direction>(['from-vm', 'to-vm']);
  const isArp = dice.chance(0.15);
  const names = Array.from({ length: dice.pick([0, 1, 1, 1, 2, 3]) }, () =>
    dice.pick(Object.keys(MUTATIONS)),
  );

  let frame = isArp ? validArp(dice, direction, policy) : validDatagram(dice, direction, policy);
  for (const name of names) frame = MUTATIONS[name]?.(frame, dice, policy.fields) ?? frame;
  if (!isArp && dice.chance(0.85)) frame = withRightChecksum(frame);
  return { direction, policy, frame, circumstances: circumstances(dice, isArp), mutations: names };
}

function validArp(dice: Dice, direction: Direction, { fields }: GeneratedPolicy): Uint8Array {
  const cast = castOf(dice, fields);
  const usual = direction === 'from-vm' ? arpRequest : arpAnswer;
  return dice.chance(0.95) ? usual(cast) : arpRequest(cast, {}, { source: cast.gatewayMac });
}

function validDatagram(dice: Dice, direction: Direction, { fields }: GeneratedPolicy): Uint8Array {
  const cast = castOf(dice, fields);
  if (dice.chance(0.03)) {
    const ends = { source: cast.guestMac, destination: cast.gatewayMac };
    const turned = { source: cast.gatewayMac, destination: cast.guestMac };
    const etherType = dice.pick([0x86dd, 0x88cc, 0x0026]);
    return ethernet({ ...(direction === 'from-vm' ? ends : turned), etherType, payload: dice.bytes(40) });
  }
  const { type, bytes } = dice.pick(Object.values(WireGuard));
  const twist = { udp: { payload: wireGuardShape(type, bytes), checksum: 0 } };
  return direction === 'from-vm' ? fromGuest(cast, twist) : toGuest(cast, twist);
}

/** The policy's own people; the previous endpoint speaks now and then. */
function castOf(dice: Dice, fields: GeneratedPolicy['fields']): Cast {
  const previous = fields.previous ?? fields.endpoint;
  return { ...fields, previous, endpoint: dice.chance(0.3) ? previous : fields.endpoint };
}

function circumstances(dice: Dice, isArp: boolean): Circumstances {
  const pending = dice.pick([1, 14, 24, 36, 39, 41, 50, 65535]);
  return {
    nowNs: NOW,
    vlanInMetadata: dice.chance(0.02),
    superFrame: dice.chance(0.04),
    pendingChecksumAt: dice.chance(0.9) ? null : dice.chance(0.6) ? 40 : pending,
    ownAnswer: dice.chance(isArp ? 0.7 : 0.05),
  };
}

/** The same for the C filter. */
export function metaOf(its: Circumstances): FrameMeta {
  const { nowNs, vlanInMetadata, superFrame, ownAnswer } = its;
  return { nowNs, vlanInMetadata, superFrame, ownAnswer, pendingChecksumOffset: its.pendingChecksumAt ?? 0 };
}
