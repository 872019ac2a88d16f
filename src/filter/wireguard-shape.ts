import { readU8 } from '../packet/network-order.ts';

/** Of a data message: a header of 16 and a tag of 16. */
const DATA_OVERHEAD = 32;

/**
 * What is in between is padded to 16, but never beyond the MTU of the sender's tunnel (5.4.6): with the usual 1420 every full
 * packet is 1452 long. So an odd length is right for long messages only; no tunnel has a smaller MTU than this.
 */
const LEAST_MTU = 576;

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
    case 4: // data, keepalive
      return bytes >= DATA_OVERHEAD && (bytes % 16 === 0 || bytes >= DATA_OVERHEAD + LEAST_MTU);
    default:
      return false;
  }
}
