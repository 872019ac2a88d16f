import { readU16, readU8 } from './network-order.ts';

/**
 * The Internet checksum, RFC 1071: the ones' complement of the ones' complement sum of all 16-bit words. Over bytes that
 * hold their own right checksum it is 0.
 */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += readU16(bytes, at);
  if (bytes.length % 2 === 1) sum += readU8(bytes, bytes.length - 1) << 8;
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum ^ 0xffff;
}
