import type { NoCloudDocuments } from '../seed-image/no-cloud.ts';
import { cloudConfig } from './cloud-config.ts';
import type { Guest } from './guest.ts';
import { mergedUserData } from './merged-user-data.ts';
import { metaData } from './meta-data.ts';
import { networkConfig } from './network-config.ts';

export interface SeedOptions {
  /** UserData: for launchers that can give a guest nothing else. */
  readonly delivery: 'VendorData' | 'UserData';
  /** The tenant's own, as it was given; empty: none. */
  readonly userData: Uint8Array;
}

/** The documents of one guest. They hold its private key. The same guest gives the same bytes. */
export function seedDocuments(guest: Guest, { delivery, userData }: SeedOptions): NoCloudDocuments {
  const ours = cloudConfig(guest);
  return {
    metaData: metaData(guest),
    networkConfig: networkConfig(guest),
    ...(delivery === 'VendorData'
      ? { userData, vendorData: ours }
      : { userData: mergedUserData(userData, ours) }),
  };
}
