/** EtherTypes that mean something to us, from the IEEE registry. */
export const EtherType = {
  IPV4: 0x0800,
  ARP: 0x0806,
  /** 802.1Q tag */
  VLAN: 0x8100,
  IPV6: 0x86dd,
  /** 802.1ad service tag */
  SERVICE_VLAN: 0x88a8,
  /** stacked tags before 802.1ad had its number */
  LEGACY_QINQ: 0x9100,
} as const;

/** Below it the field is the length of an 802.3 frame (IEEE 802.3, 3.2.6). */
export const FIRST_ETHERTYPE = 0x0600;

/** Whether a VLAN tag follows instead of a payload. */
export function announcesTag(etherType: number): boolean {
  return (
    etherType === EtherType.VLAN ||
    etherType === EtherType.SERVICE_VLAN ||
    etherType === EtherType.LEGACY_QINQ
  );
}
