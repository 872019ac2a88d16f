import { describe, expect, test } from '@jest/globals';
import { vmNetworkSpecSchema } from '../../../../src/api/v1alpha1/vm-network-spec.ts';
import { planFleet } from '../../../../bench/fleet/plan.ts';

const { nodes, networks, namespaces, spareNode, spareNetworks } = planFleet(30, 3);
const machines = [...nodes, spareNode].flatMap((node) => node.machines);

describe('a planned fleet', () => {
  test('has ten VMs on each host and a network for each of them', () => {
    expect(nodes).toHaveLength(30);
    expect(nodes.every(({ machines: vms }) => vms.length === 10)).toBe(true);
    expect(networks).toHaveLength(300);
    expect(spareNetworks).toHaveLength(3);
  });

  test('names nothing twice', () => {
    const unique = (values: unknown[]): number => new Set(values).size;
    expect(unique(machines.map(({ name }) => name))).toBe(machines.length);
    expect(unique(machines.map(({ uuid }) => uuid))).toBe(machines.length);
    expect(unique(machines.flatMap(({ interfaces }) => interfaces.map(({ mac }) => mac)))).toBe(
      machines.length,
    );
    expect(unique(nodes.map(({ name }) => name))).toBe(nodes.length);
  });

  test('is the same each time: two runs measure the same', () => {
    expect(planFleet(30, 3)).toEqual(planFleet(30, 3));
  });

  test('selects by name, by UUID and by label, exactly one VM each', () => {
    const all = [...networks, ...spareNetworks];
    const ways = new Map<string, number>();
    for (const { spec } of all) {
      const { names, uuids, matchLabels } = vmNetworkSpecSchema.parse(spec).selector;
      const way = names.length > 0 ? 'names' : uuids.length > 0 ? 'uuids' : 'matchLabels';
      ways.set(way, (ways.get(way) ?? 0) + 1);
      const selected = machines.filter(({ name, uuid, labels = {} }) => {
        const labelled = Object.entries(matchLabels).some(([key, value]) => labels[key] === value);
        return names.includes(name) || uuids.includes(uuid!) || labelled;
      });
      expect(selected).toHaveLength(1);
    }
    expect(Object.fromEntries(ways)).toEqual({ names: 101, uuids: 101, matchLabels: 101 });
  });

  test('has all its namespaces', () => {
    expect(namespaces).toEqual(['tenant-0', 'tenant-1', 'tenant-2', 'tenant-spare']);
    expect(planFleet(5, 0).namespaces).toEqual(['tenant-0']);
  });
});
