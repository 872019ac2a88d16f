import type { FarEndName } from './far-end.ts';

/** What an attempt needs to know of the VM that makes it. */
export interface Attacker {
  mac: string;
  address: string;
  gatewayMac: string;
  gatewayAddress: string;
  endpoint: { address: string; port: number };
  otherVm: string;
}

/** Something that root in the guest tries, and what must become of it. */
export interface Attempt {
  group: string;
  title: string;
  /** Shell script for the guest. */
  script: string;
  /** How many frames the filter drops for which reason (native/include/vmn/reason.h): first rule broken, in the order of verdict.h. */
  drops: Readonly<Record<string, number>>;
  /** True when the guest's own stack decides how often it sends: then `drops` are the least. */
  repeats: boolean;
  /** Where it arrives when nothing stops it; the control run proves that. */
  reaches: FarEndName;
}
