export interface Endpoint {
  address: string;
  port: number;
}

const UDP_HEADER_AT = 34;
const PAYLOAD_AT = 42;
/** Bytes of each type of message; data has at least those. */
const LENGTHS: Readonly<Record<number, number>> = { 1: 148, 2: 92, 3: 64 };
const DATA = { type: 4, bytes: 32 };

/** Whether a frame, as far ends see it, is a WireGuard message from `source` to the endpoint, whole and in one piece. */
export function isTunnelDatagram(bytes: Uint8Array, source: string, { address, port }: Endpoint): boolean {
  const frame = Buffer.from(bytes);
  if (frame.length < PAYLOAD_AT + 4 || frame.readUInt16BE(12) !== 0x0800 || frame[14] !== 0x45) return false;
  const isUdp = frame[23] === 17 && (frame.readUInt16BE(20) & 0x3fff) === 0;
  const [from, to] = [dotted(frame, 26), dotted(frame, 30)];
  if (!isUdp || from !== source || to !== address) return false;
  const length = frame.readUInt16BE(UDP_HEADER_AT + 4) - 8;
  return frame.readUInt16BE(UDP_HEADER_AT + 2) === port && isMessage(frame.readUInt32LE(PAYLOAD_AT), length);
}

function isMessage(type: number, length: number): boolean {
  if (type === DATA.type) return length >= DATA.bytes;
  return LENGTHS[type] === length;
}

function dotted(frame: Buffer, at: number): string {
  return [...frame.subarray(at, at + 4)].join('.');
}
