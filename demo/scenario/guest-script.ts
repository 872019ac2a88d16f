/** Shell scripts for the guest: what its root types. See guest-probe in test/support/guest/probe. */

/** How long the guest waits for an answer that must not come, in milliseconds; longer than any round trip here. */
const WAIT_MS = 150;

/** The ports of a scan; none of them is an endpoint's. */
export const SCANNED = { first: 51880, last: 51899 };

/** Raw frames out of the guest's network card; exactly these are counted. */
export function raw(frames: readonly Uint8Array[]): string {
  const words = frames.map((frame) => Buffer.from(frame).toString('hex'));
  return `guest-probe raw eth0 ${words.join(' ')}`;
}

/** A handshake-shaped datagram, and a wait for the answer. */
export function ask(address: string, port: number, waitMs = WAIT_MS, sourcePort?: number): string {
  const from = sourcePort === undefined ? '' : ` ${String(sourcePort)}`;
  return `guest-probe ask ${address} ${String(port)} ${String(waitMs)}${from}`;
}

export function udp(address: string, port: number): string {
  return `guest-probe udp ${address} ${String(port)}`;
}

export function tcp(address: string, port: number): string {
  return `guest-probe tcp ${address} ${String(port)} ${String(WAIT_MS)}`;
}

export function ping(address: string): string {
  return `guest-probe ping ${address} ${String(WAIT_MS)}`;
}

export function scan(address: string): string {
  return `guest-probe scan ${address} ${String(SCANNED.first)} ${String(SCANNED.last)} ${String(WAIT_MS)}`;
}
