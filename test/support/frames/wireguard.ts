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

export interface MessageFields {
  readonly type: number;
  /** Indices, as the paper has them: the least byte first. */
  readonly sender?: number;
  readonly receiver?: number;
  /** The right length unless given. */
  readonly bytes?: number;
  readonly reserved?: readonly number[];
}

/** A message whose indices are known; the rest is noise. */
export function wireGuardMessage({ type, sender = 0, receiver = 0, ...given }: MessageFields): Uint8Array {
  const usual = Object.values(WireGuard).find((known) => known.type === type)?.bytes ?? 32;
  const whole = wireGuardShape(type, Math.max(given.bytes ?? usual, 12), given.reserved);
  const view = new DataView(whole.buffer, whole.byteOffset);
  if (type <= 2) view.setUint32(4, sender, true);
  if (type > 1) view.setUint32(type === 2 ? 8 : 4, receiver, true);
  return whole.subarray(0, given.bytes ?? usual);
}
