import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Rental {
  /** Of the VMNetwork, and of the VM that it selects. */
  name: string;
  endpoint: { address: string; port: number };
  limits?: { egressBitsPerSecond: number };
  /** The tunnel inside the guest; absent: the guest makes its own. */
  tunnel?: { peerPublicKey: string; address: string; nameServer: string };
}

/** The YAML a tenant would apply: nothing in it is for the demo alone. */
export function manifestOf({ name, endpoint, limits, tunnel }: Rental): string {
  const bits =
    limits === undefined ? '' : `  limits: {egressBitsPerSecond: ${String(limits.egressBitsPerSecond)}}\n`;
  const rental = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetwork
metadata:
  name: ${name}
  namespace: tenant-a
spec:
  mode: Filtered
  consumerEndpoint: {address: ${endpoint.address}, port: ${String(endpoint.port)}}
  selector:
    names: [${name}]
${bits}  wireGuard:
    strict: true
`;
  if (tunnel === undefined) return rental;
  return `${rental}    peerPublicKey: ${tunnel.peerPublicKey}
    addresses: [${tunnel.address}/32]
    dns: [${tunnel.nameServer}]
`;
}

/** The folder that the agent watches. */
export class Manifests {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  pathOf(name: string): string {
    return join(this.folder, `${name}.yaml`);
  }

  /** Writes or replaces one file as editors do: whole, by rename. */
  apply(rental: Rental): string {
    const path = this.pathOf(rental.name);
    writeFileSync(`${path}.new`, manifestOf(rental));
    renameSync(`${path}.new`, path);
    return path;
  }

  remove(name: string): void {
    rmSync(this.pathOf(name));
  }
}
