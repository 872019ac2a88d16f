/** Frames for the tests of `vmnetctl`: plain bytes, built apart from the code under test. */

const bytesOfMac = (mac: string): number[] => mac.split(':').map((part) => parseInt(part, 16));
const bytesOfIp = (address: string): number[] => address.split('.').map(Number);
const be16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];

export const GUEST_MAC = '02:76:11:22:33:44';
export const GATEWAY_MAC = '02:76:6d:6e:00:01';

export interface EthernetParts {
  readonly source?: string;
  readonly destination?: string;
  readonly etherType?: number;
}

export function ethernet(payload: readonly number[], parts: EthernetParts = {}): Uint8Array {
  const { source = GUEST_MAC, destination = GATEWAY_MAC, etherType = 0x0800 } = parts;
  return Uint8Array.from([...bytesOfMac(destination), ...bytesOfMac(source), ...be16(etherType), ...payload]);
}

export interface Ipv4Parts {
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: number;
  /** Flags and fragment offset, as the 16-bit field stands. */
  readonly fragment?: number;
  readonly options?: readonly number[];
  readonly totalLength?: number;
  readonly firstByte?: number;
  readonly ttl?: number;
}

export function ipv4(payload: readonly number[], parts: Ipv4Parts = {}): number[] {
  const {
    from = '100.64.0.5',
    to = '203.0.113.10',
    protocol = 17,
    fragment = 0,
    options = [],
    ttl = 64,
  } = parts;
  const headerBytes = 20 + options.length;
  const { totalLength = headerBytes + payload.length, firstByte = 0x40 + headerBytes / 4 } = parts;
  const header = [firstByte, 0, ...be16(totalLength), 0, 0, ...be16(fragment), ttl, protocol, 0, 0];
  header.push(...bytesOfIp(from), ...bytesOfIp(to), ...options);
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += (header[at] ?? 0) * 256 + (header[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  header.splice(10, 2, ...be16(~sum & 0xffff));
  return [...header, ...payload];
}

export function udp(
  payload: readonly number[],
  sourcePort = 41000,
  destinationPort = 51900,
  length?: number,
): number[] {
  return [
    ...be16(sourcePort),
    ...be16(destinationPort),
    ...be16(length ?? 8 + payload.length),
    0,
    0,
    ...payload,
  ];
}

/** A WireGuard message by type and length. */
export function wireGuard(type: number, bytes: number): number[] {
  return [type, ...new Array<number>(bytes - 1).fill(0)];
}

export function handshake(parts: Ipv4Parts & { port?: number } = {}): Uint8Array {
  return ethernet(ipv4(udp(wireGuard(1, 148), 41000, parts.port ?? 51900), parts));
}

export interface ArpParts {
  readonly operation?: number;
  readonly senderMac?: string;
  readonly senderAddress?: string;
  readonly targetAddress?: string;
}

export function arp(parts: ArpParts = {}): Uint8Array {
  const {
    operation = 1,
    senderMac = GUEST_MAC,
    senderAddress = '100.64.0.5',
    targetAddress = '169.254.1.1',
  } = parts;
  const body = [...be16(1), ...be16(0x0800), 6, 4, ...be16(operation), ...bytesOfMac(senderMac)];
  body.push(...bytesOfIp(senderAddress), 0, 0, 0, 0, 0, 0, ...bytesOfIp(targetAddress));
  return ethernet(body, { destination: 'ff:ff:ff:ff:ff:ff', etherType: 0x0806 });
}

export interface PcapParts {
  readonly magic?: number;
  readonly littleEndian?: boolean;
  readonly linkType?: number;
  /** 24 in Kuznetzov's variant. */
  readonly frameHeaderBytes?: number;
}

export interface PcapFrame {
  readonly bytes: Uint8Array;
  readonly frameBytes?: number;
  readonly seconds?: number;
  readonly fraction?: number;
}

export function pcap(frames: readonly PcapFrame[], parts: PcapParts = {}): Uint8Array {
  const { magic = 0xa1b2c3d4, littleEndian = true, linkType = 1, frameHeaderBytes = 16 } = parts;
  const length = 24 + frames.reduce((sum, frame) => sum + frameHeaderBytes + frame.bytes.length, 0);
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  view.setUint32(0, magic, littleEndian);
  view.setUint16(4, 2, littleEndian);
  view.setUint16(6, 4, littleEndian);
  view.setUint32(16, 65535, littleEndian);
  view.setUint32(20, linkType, littleEndian);
  let at = 24;
  for (const { bytes, frameBytes = bytes.length, seconds = 1, fraction = 2 } of frames) {
    [seconds, fraction, bytes.length, frameBytes].forEach((value, n) =>
      view.setUint32(at + 4 * n, value, littleEndian),
    );
    file.set(bytes, at + frameHeaderBytes);
    at += frameHeaderBytes + bytes.length;
  }
  return file;
}
