import { concat, pattern } from './bytes.ts';

/** Message types and whole lengths in bytes; J. A. Donenfeld, "WireGuard", NDSS 2017, sections 5.4.2 to 5.4.7. */
export const WireGuard = {
  initiation: { type: 1, bytes: 148 },
  response: { type: 2, bytes: 92 },
  cookieReply: { type: 3, bytes: 64 },
  /** 16 bytes of header, the packet padded to a multiple of 16, 16 bytes of tag: this or more, in steps of 16. */
  transport: { type: 4, bytes: 32 },
} as const;

/** Something with the outer shape of a WireGuard message: one byte type, three reserved zeros, and noise. */
export function wireGuardShape(
  type: number,
  bytes: number,
  reserved: readonly number[] = [0, 0, 0],
): Uint8Array {
  return concat(Uint8Array.of(type, ...reserved), pattern(Math.max(bytes - 4, 0), type)).subarray(0, bytes);
}

/** A keep-alive: a transport message with nothing in it. */
export function keepAlive(): Uint8Array {
  return wireGuardShape(WireGuard.transport.type, WireGuard.transport.bytes);
}
