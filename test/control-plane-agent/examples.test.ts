/** The manifests of examples/ on a real host: kubectl apply, a VM of that name by `vmnetctl run`, kubectl wait. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  EXAMPLE_FILES,
  EXAMPLES_FOLDER,
  exampleObjects,
  secretCommands,
} from '../support/api-cases/example-files.ts';
import { mustRun } from '../support/lab/index.ts';
import { executable } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { conditionOf, type Network } from '../support/scripted-agent/objects.ts';
import { ClusterLab } from '../support/stage/cluster-lab.ts';
import { CLUSTER_NEEDS } from '../support/stage/cluster-needs.ts';

const { describe } = requires(...CLUSTER_NEEDS, needsControlPlane('kubectl', 'helm'), executable('wg'));

interface Selector {
  names?: string[];
  nodeName?: string;
}

const networksOf = (file: string): Network[] =>
  exampleObjects<Network>(file).filter(({ kind }) => kind === 'VMNetwork');
const selectorOf = ({ spec }: Network): Selector => spec['selector'] as Selector;
/** VMs by uuid and labels are found by discovery on another host: scripted agents try those. */
const isServed = (network: Network): boolean => {
  const { names = [], nodeName = '' } = selectorOf(network);
  return names.length > 0 && nodeName === '';
};
const SERVED = EXAMPLE_FILES.filter(
  (file) => networksOf(file).every(isServed) && networksOf(file).length > 0,
);

describe('[K8-1] examples on a real host', () => {
  let lab: ClusterLab;
  beforeAll(async () => {
    lab = await ClusterLab.open('examples');
    await lab.stage.controller();
    lab.startAgent();
  }, 120_000);
  afterAll(() => lab?.close(), 60_000);
  afterEach(() => {
    expect(lab.stage.witness.doubles).toEqual([]);
    expect(lab.proxy.requests.filter(({ status }) => status === 403 || status === 422)).toEqual([]);
  });

  /** As a reader types it, but with the kubectl and the cluster of the test. */
  function type(command: string): Promise<string> {
    const { kubectlProgram, adminKubeconfig } = lab.stage.plane;
    const script = `set -euo pipefail; kubectl() { "$KUBECTL" "$@"; }; ${command}`;
    const env = { ...process.env, KUBECTL: kubectlProgram, KUBECONFIG: adminKubeconfig };
    return mustRun(['bash', '-c', script], { env });
  }

  test('those that name their VMs are tried, which are most', () => {
    expect(SERVED.length).toBeGreaterThan(EXAMPLE_FILES.length / 2);
  });

  test.each(SERVED)(
    '%s: its VMs are held, and `kubectl wait --for=condition=Ready` returns',
    async (file) => {
      const { plane } = lab.stage;
      const networks = networksOf(file);
      for (const { metadata } of networks) await plane.ensureNamespace(metadata.namespace ?? 'default');
      for (const { command } of secretCommands(file)) await type(command);
      const vms = [];
      for (const name of networks.flatMap((network) => selectorOf(network).names ?? []))
        vms.push(await lab.startVm(name));
      await plane.mustKubectl(['apply', '-f', join(EXAMPLES_FOLDER, file)]);
      for (const { metadata } of networks) {
        const { name, namespace = 'default' } = metadata;
        const wait = ['wait', '--for=condition=Ready', '--timeout=20s', '-n', namespace, `vmnetwork/${name}`];
        expect(await plane.mustKubectl(wait)).toContain('condition met');
        const attachment = await lab.attachmentOf(namespace, name);
        expect(attachment?.status?.enforced?.policyHash).toBe(attachment?.spec.hash);
        // Of guests nothing is claimed.
        expect(conditionOf(attachment, 'GuestProvisioned')).toBeUndefined();
        await plane.mustKubectl(['delete', '--timeout=20s', '-n', namespace, `vmnetwork/${name}`]);
      }
      for (const vm of vms) vm.close();
    },
    60_000,
  );
});
