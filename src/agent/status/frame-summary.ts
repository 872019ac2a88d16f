const ETHERTYPE_NAMES = new Map([
  [0x0806, 'ARP'],
  [0x86dd, 'IPv6'],
  [0x8100, '802.1Q'],
  [0x88a8, '802.1ad'],
  [0x88cc, 'LLDP'],
]);

const PROTOCOL_NAMES = new Map([
  [1, 'ICMP'],
  [2, 'IGMP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [47, 'GRE'],
  [50, 'ESP'],
  [58, 'ICMPv6'],
  [132, 'SCTP'],
]);

/**
 * One line about a dropped frame, from its first bytes (Ethernet header first; possibly cut off). For people only: the
 * bytes are the guest's, so nothing but numbers and our own words is taken from them, and nothing is decided by it.
 */
export function summarizeFrame(head: Uint8Array): string {
  if (head.length < 14) return `${head.length} bytes, too short for an Ethernet header`;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const etherType = view.getUint16(12);
  if (etherType === 0x0800) return ipv4(view);
  const macs = `${mac(head, 6)} > ${mac(head, 0)}`;
  if (etherType < 0x0600) return `802.3 length ${etherType}, ${macs}`;
  if (etherType === 0x0806 && head.length >= 42) return arp(view);
  return `${ETHERTYPE_NAMES.get(etherType) ?? `EtherType 0x${etherType.toString(16).padStart(4, '0')}`}, ${macs}`;
}

function ipv4(view: DataView): string {
  if (view.byteLength < 34) return 'IPv4, cut off';
  const source = address(view, 26);
  const destination = address(view, 30);
  const protocol = view.getUint8(23);
  const name = PROTOCOL_NAMES.get(protocol) ?? `protocol ${protocol}`;
  const offset = 14 + (view.getUint8(14) & 0x0f) * 4;
  const fragment = (view.getUint16(20) & 0x3fff) !== 0 ? ', fragment' : '';
  const hasPorts = (protocol === 6 || protocol === 17) && fragment === '' && view.byteLength >= offset + 4;
  if (!hasPorts) return `${name} ${source} > ${destination}${fragment}`;
  return `${name} ${source}:${view.getUint16(offset)} > ${destination}:${view.getUint16(offset + 2)}`;
}

function arp(view: DataView): string {
  const operation = view.getUint16(20) === 1 ? 'who has' : view.getUint16(20) === 2 ? 'answer for' : 'other';
  return `ARP ${operation} ${address(view, 38)}, from ${address(view, 28)}`;
}

function address(view: DataView, offset: number): string {
  return [0, 1, 2, 3].map((index) => view.getUint8(offset + index)).join('.');
}

function mac(bytes: Uint8Array, offset: number): string {
  return [...bytes.subarray(offset, offset + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
