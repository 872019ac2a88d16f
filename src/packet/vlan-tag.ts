/** One VLAN tag of a frame, IEEE 802.1Q, 9.6. */
export interface VlanTag {
  /** 0x8100 (802.1Q), 0x88a8 (802.1ad) or 0x9100 (before it). */
  readonly protocol: number;
  /** 0 to 7 */
  readonly priority: number;
  readonly dropEligible: boolean;
  /** 0 (priority only) to 4095 */
  readonly vlan: number;
}

/** `control`: the 16 bits of tag control information. */
export function vlanTag(protocol: number, control: number): VlanTag {
  return {
    protocol,
    priority: control >>> 13,
    dropEligible: (control & 0x1000) !== 0,
    vlan: control & 0x0fff,
  };
}
