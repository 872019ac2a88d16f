/** The Internet checksum, RFC 1071: the ones' complement of the ones' complement sum of 16-bit words, as a number. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0); // an odd last byte counts as the high half of a word
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return ~sum & 0xffff;
}
