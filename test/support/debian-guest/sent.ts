import { ENDPOINT, GATEWAY, type Card } from './stage.ts';

const WIREGUARD_TYPES = [1, 2, 3, 4];
export const ASKS_GATEWAY = 'ARP for the gateway';
export const HANDSHAKE = 'WireGuard 1';
/** All that a provisioned guest may send. */
export const EXPECTED: readonly string[] = [
  ASKS_GATEWAY,
  ...WIREGUARD_TYPES.map((type) => `WireGuard ${type}`),
];

/** What the guest sent among these frames, each in a few words, in the order in which it did. */
export function sentBy({ mac, address }: Card, frames: readonly Uint8Array[]): string[] {
  return frames
    .map((frame) => Buffer.from(frame))
    .filter((frame) => frame.toString('hex', 6, 12) === mac.replaceAll(':', ''))
    .map((frame) => described(frame, address));
}

function described(frame: Buffer, own: string): string {
  const type = frame.readUInt16BE(12);
  if (type === 0x0806) {
    const [from, to] = [dotted(frame, 28), dotted(frame, 38)];
    const isQuestion = frame.readUInt16BE(20) === 1;
    return isQuestion && from === own && to === GATEWAY ? ASKS_GATEWAY : `ARP of ${from} for ${to}`;
  }
  if (type !== 0x0800) return `EtherType ${type.toString(16)}: ${frame.toString('hex', 14, 60)}`;
  const [from, to, protocol] = [dotted(frame, 26), dotted(frame, 30), frame.readUInt8(23)];
  const isFlow = frame.readUInt8(14) === 0x45 && protocol === 17 && from === own && to === ENDPOINT.address;
  if (!isFlow || frame.readUInt16BE(36) !== ENDPOINT.port) {
    return `protocol ${protocol} from ${from} to ${to}: ${frame.toString('hex', 34, 60)}`;
  }
  return `WireGuard ${frame.readUInt32LE(42)}`;
}

function dotted(frame: Buffer, at: number): string {
  return [...frame.subarray(at, at + 4)].join('.');
}
