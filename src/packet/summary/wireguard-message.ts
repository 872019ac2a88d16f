/**
 * What a UDP payload is as a WireGuard message, by its first four bytes and its length (WireGuard whitepaper, 5.4).
 * The same shape that the filter's strict mode demands; here only to name it for people.
 */
export function wireGuardMessage(head: Uint8Array, payloadBytes: number): string | null {
  if (head.length < 4 || head[1] !== 0 || head[2] !== 0 || head[3] !== 0) return null;
  switch (head[0]) {
    case 1:
      return payloadBytes === 148 ? 'WireGuard handshake initiation' : null;
    case 2:
      return payloadBytes === 92 ? 'WireGuard handshake response' : null;
    case 3:
      return payloadBytes === 64 ? 'WireGuard cookie reply' : null;
    case 4:
      if (payloadBytes === 32) return 'WireGuard keepalive';
      return isDataLength(payloadBytes) ? 'WireGuard transport data' : null;
    default:
      return null;
  }
}

/** Padded to 16, but for packets that fill their tunnel: src/filter/wireguard-shape.ts says why from 608 on any length fits. */
function isDataLength(payloadBytes: number): boolean {
  return payloadBytes > 32 && (payloadBytes % 16 === 0 || payloadBytes >= 608);
}
