import type { ApiClient } from './api-client.ts';
import { ApiFailure } from './api-failure.ts';
import { VM_NODES } from './kinds.ts';
import type { AnyObject, Machine } from './objects.ts';

export interface VmNode extends AnyObject {
  spec: Record<string, never>;
  status?: Record<string, unknown> & { sealingKey?: string; virtualMachines?: Machine[] };
}

const IDENTITY = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkNode' };

/** Makes the agent's VMNetworkNode if it is not there, and says in its status what the host has. */
export async function reportNode(
  client: ApiClient,
  name: string,
  sealingKey: string,
  machines: readonly Machine[],
): Promise<void> {
  try {
    await client.create<VmNode>(VM_NODES, { ...IDENTITY, metadata: { name }, spec: {} });
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status !== 409) throw error;
  }
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  const condition = (type: string, status: string) => {
    return { type, status, reason: 'Reported', message: 'as scripted', lastTransitionTime: at };
  };
  const status = {
    platform: { os: 'Linux', architecture: 'x86_64', kernel: '6.12.0' },
    versions: { agent: '0.1.0', program: 'a04f5eef06a7f555' },
    features: { btf: true, tcx: true, clsact: true, ringbuf: true, bpffs: true },
    sealingKey,
    conditions: [condition('Ready', 'True'), condition('BpfFsReady', 'True'), condition('Degraded', 'False')],
    virtualMachineCount: machines.length,
    virtualMachines: machines,
  };
  // By PUT, as the real one: agents may not patch.
  while (true) {
    const present = await client.get<VmNode>(VM_NODES, { name });
    try {
      await client.replace(VM_NODES, { name, subresource: 'status' }, { ...present, status } as AnyObject);
      return;
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 409) throw error;
    }
  }
}
