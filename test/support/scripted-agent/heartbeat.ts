import type { ApiClient } from './api-client.ts';
import { LEASES } from './kinds.ts';
import type { AnyObject } from './objects.ts';

interface Lease extends AnyObject {
  spec: { holderIdentity: string; leaseDurationSeconds: number; renewTime: string };
}

const SYSTEM = 'vmnetwork-system';
const IDENTITY = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

/** Writes the Lease `node.NAME` once; the caller says when. Get and update: agents may not patch it. */
export async function beat(client: ApiClient, nodeName: string, instance: string, leaseSeconds: number) {
  const place = { namespace: SYSTEM, name: `node.${nodeName}` };
  const spec = {
    holderIdentity: instance,
    leaseDurationSeconds: leaseSeconds,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  };
  const present = await client.find<Lease>(LEASES, place);
  if (present === null) {
    await client.create<Lease>(LEASES, { ...IDENTITY, metadata: place, spec });
  } else {
    await client.replace<Lease>(LEASES, place, { ...IDENTITY, metadata: present.metadata, spec });
  }
}
