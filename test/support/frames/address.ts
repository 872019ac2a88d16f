/** "02:00:00:00:00:01" as six bytes. */
export function macBytes(mac: string): Uint8Array {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  if (bytes.length !== 6 || bytes.some((byte) => !(byte >= 0 && byte <= 255)))
    throw new Error(`not a MAC: ${mac}`);
  return Uint8Array.from(bytes);
}

/** "192.0.2.1" as four bytes in network order. */
export function ipv4Bytes(address: string): Uint8Array {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255)))
    throw new Error(`not IPv4: ${address}`);
  return Uint8Array.from(bytes);
}

/** An IPv6 address, "::" allowed, no embedded IPv4, as sixteen bytes. */
export function ipv6Bytes(address: string): Uint8Array {
  const [left = '', right] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0);
  return Uint8Array.from([...head, ...zeros, ...tail].flatMap((group) => [group >>> 8, group & 0xff]));
}

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
export const ZERO_MAC = '00:00:00:00:00:00';
