import type { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { NETWORKS } from '../../test/support/scripted-agent/kinds.ts';
import { reportNode } from '../../test/support/scripted-agent/reported-node.ts';
import { SealingKey } from '../../test/support/scripted-agent/sealing-key.ts';
import type { FleetCluster } from './cluster.ts';
import { crew } from './crew.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { FleetPlan, PlannedNode } from './plan.ts';

const AT_A_TIME = 16;

/** Hosts with their VMs, as their agents would report them, and their first heartbeats. */
export async function populateNodes(
  { client }: FleetCluster,
  { nodes, spareNode }: FleetPlan,
  heartbeats: Heartbeats,
  signal: AbortSignal,
): Promise<void> {
  // One key for all: nothing is sealed here.
  const { publicKey } = SealingKey.generate();
  const report = async ({ name, machines }: PlannedNode): Promise<void> => {
    await heartbeats.add(name);
    await reportNode(client, name, publicKey, machines);
  };
  await crew([...nodes, spareNode], AT_A_TIME, signal, report);
}

/** Namespaces, and a VMNetwork for each VM of the fleet. */
export async function populateNetworks(
  cluster: FleetCluster,
  { namespaces, networks }: FleetPlan,
  signal: AbortSignal,
): Promise<void> {
  const { client }: { client: ApiClient } = cluster;
  await crew(namespaces, AT_A_TIME, signal, (name) => cluster.ensureNamespace(name));
  await crew(networks, AT_A_TIME, signal, async (network) => {
    await client.create(NETWORKS, network);
  });
}
