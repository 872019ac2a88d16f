import { readU8 } from '../packet/network-order.ts';

/**
 * Whether a datagram's payload looks like a WireGuard message from outside: J. A. Donenfeld, "WireGuard" (NDSS 2017), 5.4.
 * A type, three reserved zeros, and the length that the type has.
 *
 * A shape is no proof. It keeps ordinary protocols from being spoken to the endpoint, not a guest that wraps its own.
 */
export function hasWireGuardShape(payload: Uint8Array): boolean {
  if (payload.length < 4) return false;
  const reservedAreZero = payload.subarray(1, 4).every((byte) => byte === 0);
  return reservedAreZero && lengthFits(readU8(payload, 0), payload.length);
}

function lengthFits(type: number, bytes: number): boolean {
  switch (type) {
    case 1: // handshake initiation
      return bytes === 148;
    case 2: // handshake response
      return bytes === 92;
    case 3: // cookie reply
      return bytes === 64;
    case 4: // transport: a header of 16, content padded to 16, a tag of 16
      return bytes >= 32 && bytes % 16 === 0;
    default:
      return false;
  }
}
