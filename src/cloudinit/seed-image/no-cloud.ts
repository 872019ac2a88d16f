import { seedFile, type SeedFile } from './seed-file.ts';

/** What cloud-init's NoCloud source reads from the root of a volume. Text, or bytes where a tenant gave them. */
export interface NoCloudDocuments {
  /** Holds the `instance-id`. Without it, or without user data, cloud-init takes the volume for no seed. */
  readonly metaData: string | Uint8Array;
  /** May be empty. */
  readonly userData: string | Uint8Array;
  readonly vendorData?: string | Uint8Array;
  /** Without it cloud-init asks for an address by DHCP. */
  readonly networkConfig?: string | Uint8Array;
}

const NAMES: Readonly<Record<keyof NoCloudDocuments, string>> = {
  metaData: 'meta-data',
  userData: 'user-data',
  vendorData: 'vendor-data',
  networkConfig: 'network-config',
};

/** The files of a seed image, under the names that cloud-init asks for. */
export function noCloudFiles(documents: NoCloudDocuments): SeedFile[] {
  return (Object.keys(NAMES) as (keyof NoCloudDocuments)[]).flatMap((key) => {
    const content = documents[key];
    return content === undefined ? [] : [seedFile(NAMES[key], content)];
  });
}
