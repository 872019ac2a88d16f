/** Values of a policy as bytes and back. Whatever does not fit is a TypeError: nothing else is ever written in its place. */
import { isIPv4 } from 'node:net';

export const U32 = 0xffff_ffff;

export function whole(value: number, max: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new TypeError(`${name} is not a whole number from 0 to ${max}: ${value}`);
  }
  return value;
}

export function u64(value: bigint, name: string): bigint {
  if (value < 0n || value >= 1n << 64n)
    throw new TypeError(`${name} is not an unsigned 64-bit number: ${value}`);
  return value;
}

export function macBytes(mac: string): number[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
    throw new TypeError(`not a MAC address: ${JSON.stringify(mac)}`);
  return mac.split(':').map((part) => Number.parseInt(part, 16));
}

export function macText(bytes: Uint8Array, offset: number): string {
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  );
}

export function addressBytes(address: string): number[] {
  if (!isIPv4(address)) throw new TypeError(`not an IPv4 address: ${JSON.stringify(address)}`);
  return address.split('.').map(Number);
}

export function addressText(bytes: Uint8Array, offset: number): string {
  return bytes.subarray(offset, offset + 4).join('.');
}
