import { macBytes } from './address.ts';
import { concat, u16 } from './bytes.ts';

/** EtherTypes, from the IEEE registry. */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  wakeOnLan: 0x0842,
  vlan: 0x8100,
  ipv6: 0x86dd,
  mpls: 0x8847,
  pppoeDiscovery: 0x8863,
  eapol: 0x888e,
  serviceVlan: 0x88a8,
  localExperimental: 0x88b5,
  lldp: 0x88cc,
  oldQinQ: 0x9100,
} as const;

export interface EthernetFields {
  destination: string;
  source: string;
  /** Below 0x0600 it is an IEEE 802.3 length. */
  etherType: number;
  payload?: Uint8Array;
}

/** An Ethernet II (or 802.3) frame without preamble and check sequence, as software sees it. Not padded to 60 bytes. */
export function ethernet({ destination, source, etherType, payload }: EthernetFields): Uint8Array {
  return concat(macBytes(destination), macBytes(source), u16(etherType), payload ?? new Uint8Array());
}

/** IEEE 802.1Q tag control information: priority, drop eligible, VLAN id. */
export interface Tag {
  tpid?: number;
  priority?: number;
  vlan: number;
}

/** Puts tags, outermost first, into a frame that has none. */
export function tagged(frame: Uint8Array, ...tags: readonly Tag[]): Uint8Array {
  const control = tags.map(({ tpid = EtherType.vlan, priority = 0, vlan }) =>
    concat(u16(tpid), u16((priority << 13) | vlan)),
  );
  return concat(frame.subarray(0, 12), ...control, frame.subarray(12));
}

/** Zeros up to a length, 60 as on a wire unless said otherwise. */
export function padded(frame: Uint8Array, length = 60): Uint8Array {
  return frame.length >= length ? frame : concat(frame, new Uint8Array(length - frame.length));
}
