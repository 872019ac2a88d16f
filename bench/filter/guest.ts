import {
  ethernet,
  EtherType,
  ipv4,
  Protocol,
  udp,
  wireGuardShape,
  WireGuard,
} from '../../test/support/frames/index.ts';

/** The guest of the benchmarks, its gateway, and whom it may talk to. */
export const GUEST = { mac: '02:76:aa:bb:cc:dd', address: '100.64.0.5', port: 51820 } as const;
export const GATEWAY = { mac: '02:76:6d:6e:00:01', address: '169.254.1.1' } as const;
export const ENDPOINT = { address: '203.0.113.10', port: 51900 } as const;
/** What the endpoint was before, and still is within its grace. */
export const PREVIOUS = { address: '203.0.113.20', port: 51820 } as const;
/** The endpoint's address, another port: breaks the last rule but one, so nearly everything is judged before the drop. */
export const WRONG_PORT = { address: ENDPOINT.address, port: ENDPOINT.port + 1 } as const;

/** A bulk transfer in a tunnel: a WireGuard data message in a full-size packet, 1500 bytes less what is not a multiple of 16. */
export const BULK_BYTES = 1456;
/** The smallest one: a keep-alive. */
export const KEEP_ALIVE_BYTES = 32;

export type Direction = 'from-vm' | 'to-vm';

export interface Remote {
  address: string;
  port: number;
}

/** Between guest and endpoint, in WireGuard's shape. */
export function tunnelFrame(
  direction: Direction,
  { remote = ENDPOINT, bytes = BULK_BYTES }: { remote?: Remote; bytes?: number } = {},
): Uint8Array {
  return frameOf(direction, remote, wireGuardShape(WireGuard.transport.type, bytes));
}

/** Several tunnel messages of one size in one frame, as a guest with UDP segmentation offload sends them. */
export function superFrame(segments: number, segmentBytes: number): Uint8Array {
  const segment = wireGuardShape(WireGuard.transport.type, segmentBytes);
  const payload = new Uint8Array(segments * segmentBytes);
  for (let at = 0; at < payload.length; at += segmentBytes) payload.set(segment, at);
  return frameOf('from-vm', ENDPOINT, payload);
}

function frameOf(direction: Direction, remote: Remote, payload: Uint8Array): Uint8Array {
  const beyond = { ...remote, mac: GATEWAY.mac };
  const [from, to] = direction === 'from-vm' ? [GUEST, beyond] : [beyond, GUEST];
  const datagram = udp({ sourcePort: from.port, destinationPort: to.port, payload });
  const packet = ipv4({
    source: from.address,
    destination: to.address,
    protocol: Protocol.udp,
    payload: datagram,
  });
  return ethernet({
    source: from.mac,
    destination: to.mac,
    etherType: EtherType.ipv4,
    payload: packet,
  });
}
