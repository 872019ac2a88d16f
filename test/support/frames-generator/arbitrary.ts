import fc from 'fast-check';
import type { Circumstances, Direction } from '../../../src/filter/filtering-strategy.ts';
import { concat } from '../frames/bytes.ts';
import {
  arpAnswer,
  arpRequest,
  CAST,
  fromGuest,
  PINNED,
  STRANGER,
  toGuest,
  type Twist,
} from '../frames/cast.ts';
import { Mode, type PolicyFields } from '../frames/policy-bytes.ts';
import { wireGuardShape } from '../frames/wireguard.ts';
import { Dice } from './dice.ts';
import { circumstancesWith } from './judged.ts';
import { MUTATIONS, withRightChecksum } from './mutation.ts';
import { NOW } from './policy.ts';

// What fast-check draws: it prints the seed of a failure and shrinks it, to one mutation of one frame, if it can.

/** A frame on its way. */
export interface Sent {
  readonly way: Direction;
  readonly bytes: Uint8Array;
}

const way = fc.constantFrom<Direction>('from-vm', 'to-vm');

/** A frame of the conversation that passes, or of one that nearly does. */
const honest: fc.Arbitrary<Sent> = fc
  .record({
    way,
    remote: fc.constantFrom(
      CAST.endpoint,
      CAST.endpoint,
      CAST.previous,
      { ...CAST.endpoint, port: 53 },
      { ...CAST.endpoint, address: STRANGER.address },
    ),
    ip: fc.constantFrom<NonNullable<Twist['ip']>>({}, {}, {}, { protocol: 6 }, { protocol: 1 }),
    port: fc.constantFrom(0, 1, 40_000),
    payload: fc.constantFrom(
      ...[0, 4, 32, 32, 33, 64, 640, 1473].map((length) => wireGuardShape(4, length)),
      concat(...Array.from({ length: 5 }, () => wireGuardShape(4, 64))),
    ),
  })
  .map(({ way, remote, ip, port, payload }) => {
    const cast = { ...CAST, endpoint: remote };
    return way === 'from-vm'
      ? { way, bytes: fromGuest(cast, { ip, udp: { payload, sourcePort: port } }) }
      : { way, bytes: toGuest(cast, { ip, udp: { payload, destinationPort: port } }) };
  });

const arp: fc.Arbitrary<Sent> = fc.record({
  way,
  bytes: fc.constantFrom(
    arpRequest(CAST),
    arpAnswer(CAST),
    arpRequest(CAST, { senderAddress: STRANGER.address }),
    arpRequest(CAST, { targetAddress: CAST.guestAddress }),
  ),
});

const noise: fc.Arbitrary<Sent> = fc.record({ way, bytes: fc.uint8Array({ maxLength: 120, size: 'max' }) });

const mutations = fc.array(
  fc.record({ name: fc.constantFrom(...Object.keys(MUTATIONS)), seed: fc.nat(), mended: fc.boolean() }),
  { maxLength: 3 },
);

/** Frames with up to three things done to them, and bytes that never were one. */
export const sent: fc.Arbitrary<Sent> = fc.oneof(
  { weight: 3, arbitrary: honest },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.oneof(honest, honest, arp), mutations).map(([{ way, bytes }, changes]) => ({
      way,
      bytes: changes.reduce((whole, { name, seed, mended }) => mutated(whole, name, seed, mended), bytes),
    })),
  },
  { weight: 1, arbitrary: noise },
);

function mutated(whole: Uint8Array, name: string, seed: number, mended: boolean): Uint8Array {
  const changed = MUTATIONS[name]?.(whole, new Dice(seed), PINNED) ?? whole;
  return mended ? withRightChecksum(changed) : changed;
}

const word64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

/** Half of them those of an ordinary frame. */
export const circumstances: fc.Arbitrary<Circumstances> = fc.oneof(
  word64.map((nonce) => circumstancesWith({ nonce })),
  fc.record({
    nowNs: fc.oneof(fc.constantFrom(0n, NOW - 1n, NOW, NOW + 1n, 2n ** 64n - 1n), word64),
    nonce: word64,
    vlanInMetadata: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.boolean()),
    superFrame: fc.oneof(
      fc.constant(null),
      fc.constant({ kind: 'other' as const }),
      fc.constantFrom(0, 1, 64, 1472, 65_535).map((segmentBytes) => ({ kind: 'udp' as const, segmentBytes })),
      fc.constantFrom(0, 1, 64, 1460, 65_535).map((segmentBytes) => ({ kind: 'tcp' as const, segmentBytes })),
    ),
    pendingChecksumAt: fc.oneof(fc.constant(null), fc.constantFrom(0, 14, 36, 40, 50, 65_535)),
    ownAnswer: fc.boolean(),
  }),
);

/** Policies of the cast; what says how much they overlook is in `leniency`. */
export const policyFields: fc.Arbitrary<PolicyFields> = fc
  .record({
    strict: fc.boolean(),
    quarantined: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
    generation: fc.constantFrom(0n, 1n, 2n ** 64n - 1n),
    secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    maxPacketBytes: fc.constantFrom(0, 60, 1500),
    graceUntilNs: fc.constantFrom(null, NOW, NOW + 1n),
  })
  .map(({ graceUntilNs, ...fields }) => ({
    ...PINNED,
    ...fields,
    ...(graceUntilNs !== null && { previous: { ...CAST.previous, untilNs: graceUntilNs } }),
  }));

/** Every way to overlook something. */
export const leniency: fc.Arbitrary<Pick<PolicyFields, 'mode' | 'audit' | 'samplePerMillion'>> = fc.record({
  mode: fc.constantFrom(...Object.values(Mode)),
  audit: fc.boolean(),
  samplePerMillion: fc.constantFrom(0, 1, 500_000, 1_000_000),
});
