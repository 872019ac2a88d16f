/** What the fleet is made of, by numbers alone: the same for each run, and nothing of it is random. */
import { machine, uuidOf } from '../../test/support/scripted-agent/machine.ts';
import type { Machine, Network } from '../../test/support/scripted-agent/objects.ts';

export const VMS_A_NODE = 10;
/** A tenant's share of the fleet. */
const NETWORKS_A_NAMESPACE = 100;

export interface PlannedNode {
  readonly name: string;
  readonly machines: readonly Machine[];
}

export interface FleetPlan {
  readonly nodes: readonly PlannedNode[];
  readonly namespaces: readonly string[];
  /** One for each VM of `nodes`, in their order. */
  readonly networks: readonly Network[];
  /** One more host, whose VMs have no network until the fleet is at rest. */
  readonly spareNode: PlannedNode;
  /** For the VMs of `spareNode`. */
  readonly spareNetworks: readonly Network[];
}

export function planFleet(nodeCount: number, spares: number): FleetPlan {
  const nodes = numbered(nodeCount, (node) => ({
    name: `host-${String(node)}`,
    machines: numbered(VMS_A_NODE, (vm) => rental(`rental-${String(node)}-${String(vm)}`)),
  }));
  const networks = nodes
    .flatMap(({ machines }) => machines)
    .map((vm, at) => networkFor(vm, at, `tenant-${String(Math.floor(at / NETWORKS_A_NAMESPACE))}`));
  const spareNode = {
    name: 'host-spare',
    machines: numbered(spares, (vm) => rental(`rental-spare-${String(vm)}`)),
  };
  const spareNetworks = spareNode.machines.map((vm, at) => networkFor(vm, at, 'tenant-spare'));
  const namespaces = [...new Set([...networks, ...spareNetworks].map(({ metadata }) => metadata.namespace!))];
  return { nodes, namespaces, networks, spareNode, spareNetworks };
}

function rental(name: string): Machine {
  return machine(name, { uuid: uuidOf(name), labels: { rental: name } });
}

/** Of three networks one selects its VM by name, one by UUID and one by label: all three ways have to scale. */
function networkFor(vm: Machine, at: number, namespace: string): Network {
  const ways = [{ names: [vm.name] }, { uuids: [vm.uuid!] }, { matchLabels: vm.labels! }];
  return {
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetwork',
    metadata: { name: vm.name, namespace },
    spec: {
      consumerEndpoint: { address: `203.0.113.${String(1 + (at % 250))}`, port: 51900 },
      selector: ways[at % ways.length]!,
    },
  };
}

function numbered<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}
