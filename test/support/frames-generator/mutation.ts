import { BROADCAST_MAC, ipv4Bytes, macBytes } from '../frames/address.ts';
import { concat, patched, u16 } from '../frames/bytes.ts';
import { internetChecksum } from '../frames/checksum.ts';
import type { PolicyFields } from '../frames/policy-bytes.ts';
import type { Dice } from './dice.ts';

/** One thing done to a frame: a field set to a value at the edge of what it may be, or a cut. */
export type Mutation = (frame: Uint8Array, dice: Dice, policy: PolicyFields) => Uint8Array;

const IP = 14;
const UDP = 34;

const set =
  (offset: number, choices: (frame: Uint8Array, policy: PolicyFields) => readonly Uint8Array[]): Mutation =>
  (frame, dice, policy) => {
    const value = dice.pick(choices(frame, policy));
    return offset + value.length <= frame.length ? patched(frame, offset, [...value]) : frame;
  };
const u8s = (...values: number[]): Uint8Array[] => values.map((value) => Uint8Array.of(value));
const u16s = (...values: number[]): Uint8Array[] => values.map((value) => u16(value & 0xffff));

const macs = (_: Uint8Array, policy: PolicyFields): Uint8Array[] =>
  [
    policy.guestMac,
    policy.gatewayMac,
    BROADCAST_MAC,
    '01:00:5e:00:00:fb',
    '33:33:00:00:00:01',
    'ff:ff:ff:ff:ff:fe',
    '00:00:00:00:00:00',
  ].map(macBytes);

const addresses = (_: Uint8Array, policy: PolicyFields): Uint8Array[] =>
  [
    policy.guestAddress,
    policy.gatewayAddress,
    policy.endpoint.address,
    policy.previous?.address ?? '127.0.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '198.51.100.66',
  ].map(ipv4Bytes);

const ports = (_: Uint8Array, { endpoint, previous }: PolicyFields): Uint8Array[] => {
  const swapped = ((endpoint.port & 0xff) << 8) | (endpoint.port >>> 8);
  return u16s(0, 1, endpoint.port, endpoint.port + 1, swapped, previous?.port ?? 53, 0xffff);
};

const word = (frame: Uint8Array, offset: number): number =>
  ((frame[offset] ?? 0) << 8) | (frame[offset + 1] ?? 0);

const insert =
  (offset: number, choices: readonly (readonly number[])[]): Mutation =>
  (frame, dice) =>
    concat(frame.subarray(0, offset), Uint8Array.from(dice.pick(choices)), frame.subarray(offset));

/** Options that are declared honestly: header length and total length go with them. */
const honestOptions: Mutation = (frame, dice) => {
  if (frame.length < UDP) return frame;
  const words = 1 + dice.below(10);
  const longer = concat(frame.subarray(0, UDP), new Uint8Array(words * 4).fill(1), frame.subarray(UDP));
  return patched(patched(longer, IP, [0x45 + words]), IP + 2, [...u16(word(frame, IP + 2) + words * 4)]);
};

/** A payload of another length, and headers that say so. */
const honestLength: Mutation = (frame, dice) => {
  if (frame.length < UDP + 8) return frame;
  const bytes = dice.pick([
    0, 1, 3, 4, 16, 31, 32, 33, 40, 48, 64, 91, 92, 93, 147, 148, 149, 607, 608, 609, 1452, 1472,
  ]);
  const payload = concat(frame.subarray(UDP + 8), new Uint8Array(bytes)).subarray(0, bytes);
  const cut = concat(frame.subarray(0, UDP + 8), payload);
  return patched(patched(cut, IP + 2, [...u16(28 + bytes)]), UDP + 4, [...u16(8 + bytes)]);
};

const anyByte: Mutation = (frame, dice) =>
  frame.length === 0 ? frame : patched(frame, dice.below(frame.length), [dice.below(256)]);
const headerBit: Mutation = (frame, dice) => {
  if (frame.length === 0) return frame;
  const at = dice.below(Math.min(frame.length, 46));
  return patched(frame, at, [(frame[at] ?? 0) ^ (1 << dice.below(8))]);
};

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  destinationMac: set(0, macs),
  sourceMac: set(6, macs),
  etherType: set(12, () =>
    u16s(0, 1500, 0x05ff, 0x0600, 0x0800, 0x0008, 0x0801, 0x0806, 0x8100, 0x86dd, 0x88a8, 0x9100, 0x9200),
  ),
  tag: insert(12, [
    [0x81, 0, 0, 1],
    [0x88, 0xa8, 0, 1, 0x81, 0, 0, 2],
    [0x91, 0, 0xff, 0xff],
  ]),
  version: set(IP, () => u8s(0x05, 0x35, 0x55, 0x65, 0xf5)),
  headerLength: set(IP, () => u8s(0x40, 0x41, 0x44, 0x45, 0x46, 0x4a, 0x4f)),
  totalLength: set(IP + 2, (frame) => {
    const right = word(frame, IP + 2);
    const most = frame.length - IP;
    return u16s(0, 1, 19, 20, 21, 27, 28, right - 1, right + 1, most, most + 1, 0xffff);
  }),
  fragment: set(IP + 6, () => u16s(0, 0x4000, 0x2000, 0x8000, 0xc000, 1, 0x1fff, 0x2001, 0x3fff, 0xffff)),
  timeToLive: set(IP + 8, () => u8s(0, 0, 1, 255)),
  protocol: set(IP + 9, () => u8s(0, 1, 6, 16, 17, 18, 47, 136, 255)),
  sourceAddress: set(IP + 12, addresses),
  destinationAddress: set(IP + 16, addresses),
  honestOptions,
  sourcePort: set(UDP, ports),
  destinationPort: set(UDP + 2, ports),
  udpLength: set(UDP + 4, (frame) => {
    const right = word(frame, UDP + 4);
    return u16s(0, 1, 7, 8, 9, right - 1, right + 1, right + 8, 0xffff);
  }),
  messageType: set(UDP + 8, () => u8s(0, 1, 2, 3, 4, 5, 0x80, 0xff)),
  messageReserved: set(UDP + 9, () => [
    Uint8Array.of(1, 0, 0),
    Uint8Array.of(0, 0, 1),
    Uint8Array.of(0, 0x80, 0),
  ]),
  honestLength,
  arpFormat: set(IP, () => [
    Uint8Array.of(0, 6),
    Uint8Array.of(0, 1, 0x86, 0xdd),
    Uint8Array.of(0, 1, 8, 0, 6, 6),
  ]),
  arpOperation: set(IP + 6, () => u16s(0, 1, 2, 2, 3, 0x0100, 0xffff)),
  arpSenderMac: set(IP + 8, macs),
  arpSenderAddress: set(IP + 14, addresses),
  arpTargetMac: set(IP + 18, macs),
  arpTargetAddress: set(IP + 24, addresses),
  cutShort: (frame, dice) =>
    frame.subarray(0, dice.pick([0, 13, 14, 33, 34, 41, 42, 45, 46, dice.below(frame.length + 1)])),
  padded: (frame, dice) => concat(frame, dice.bytes(dice.pick([1, 2, 4, 18]))),
  anyByte,
  headerBit,
};

/** Gives the IPv4 header, if there is room for one, a right checksum. */
export function withRightChecksum(frame: Uint8Array): Uint8Array {
  if (frame.length < UDP) return frame;
  const unset = patched(frame, IP + 10, [0, 0]);
  return patched(unset, IP + 10, [...u16(internetChecksum(unset.subarray(IP, UDP)))]);
}
