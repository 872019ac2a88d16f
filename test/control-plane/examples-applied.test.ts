/** Every manifest of examples/, as a reader would try it: kubectl apply, kubectl wait. Only the hosts are played. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import {
  EXAMPLE_FILES,
  EXAMPLES_FOLDER,
  exampleObjects,
  secretCommands,
} from '../support/api-cases/example-files.ts';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { mustRun } from '../support/lab/index.ts';
import { executable } from '../support/requirement.ts';
import {
  conditionOf,
  machine,
  NETWORKS,
  Stage,
  type Machine,
  type Network,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

interface Selector {
  names?: string[];
  uuids?: string[];
  matchLabels?: Record<string, string>;
  nodeName?: string;
}

const needs = needsControlPlane('kubectl', 'helm');
const needsWg = executable('wg');
const { describe: describeExamples } = requires(needs, needsWg);

/** With what OpenShift adds: an ownerReference that blocks the deletion of its owner needs a right that our roles do not give. */
const ADMISSION = '--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement';

let stage: Stage;

beforeAll(async () => {
  if (!needs.met || !needsWg.met) return;
  stage = await Stage.raise({ apiServerFlags: [ADMISSION] });
  await stage.controller();
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(() => {
  expect(stage.complaints).toEqual([]);
});

/** One VM for each name and uuid of a selector, or one with its labels; of the namespace of its network. */
function machinesFor(
  { names = [], uuids = [], matchLabels: labels = {} }: Selector,
  namespace: string,
): Machine[] {
  const wanted = names.length > 0 ? names : uuids.length > 0 ? uuids.map(() => undefined) : [undefined];
  return wanted.map((name, index) => {
    const uuid = uuids[index];
    return machine(name ?? stage.name('vm'), { namespace, labels, ...(uuid !== undefined && { uuid }) });
  });
}

/** As its reader types it, but with the kubectl and the cluster of the test. */
function type(command: string): Promise<string> {
  const { kubectlProgram, adminKubeconfig } = stage.plane;
  const script = `set -euo pipefail; kubectl() { "$KUBECTL" "$@"; }; ${command}`;
  const env = { ...process.env, KUBECTL: kubectlProgram, KUBECONFIG: adminKubeconfig };
  return mustRun(['bash', '-c', script], { env });
}

describeExamples('[K8-1] examples', () => {
  // Kinds of other projects (a VirtualMachine, say) are for clusters that have them.
  const ours = EXAMPLE_FILES.filter((file) =>
    exampleObjects(file).every(({ apiVersion }) => apiVersion.startsWith('vmnetwork.io/')),
  );

  test('are all tried', () => {
    expect(ours).toEqual(EXAMPLE_FILES);
  });

  test.each(ours)('%s is applied, reconciled, and `kubectl wait` returns', async (file) => {
    const networks = exampleObjects<Network>(file).filter(({ kind }) => kind === 'VMNetwork');
    const hosts = new Map<string, Machine[]>();
    for (const { metadata, spec } of networks) {
      const { namespace = 'default' } = metadata;
      await stage.plane.ensureNamespace(namespace);
      const selector = spec['selector'] as Selector;
      const host = selector.nodeName || 'host-of-the-examples';
      hosts.set(host, [...(hosts.get(host) ?? []), ...machinesFor(selector, namespace)]);
    }
    const agents = await Promise.all(
      [...hosts].map(([nodeName, machines]) => stage.agent({ nodeName, machines })),
    );

    for (const { command } of secretCommands(file)) expect(await type(command)).toContain('created');
    const path = join(EXAMPLES_FOLDER, file);
    await stage.plane.mustKubectl(['apply', '-f', path]);
    for (const { metadata } of networks) {
      const { name, namespace = 'default' } = metadata;
      const wait = ['wait', '--for=condition=Ready', '--timeout=20s', '-n', namespace, `vmnetwork/${name}`];
      expect(await stage.plane.mustKubectl(wait)).toContain('condition met');
      const ready = await stage.admin.get<Network>(NETWORKS, { namespace, name });
      const { generation } = ready.metadata;
      expect(ready.status?.observedGeneration).toBe(generation);
      expect(conditionOf(ready, 'Accepted')).toMatchObject({
        status: 'True',
        observedGeneration: generation,
      });
      expect(ready.status?.attachments?.desired).toBeGreaterThan(0);
    }

    // Applied again, nothing changes: what our defaults and controllers add is no difference to kubectl.
    expect(await stage.plane.mustKubectl(['apply', '-f', path])).not.toMatch(/configured|created/);
    for (const { metadata } of networks) {
      const { name, namespace = 'default' } = metadata;
      await stage.plane.mustKubectl(['delete', '--timeout=20s', '-n', namespace, `vmnetwork/${name}`]);
    }
    await Promise.all(agents.map((agent) => agent.close()));
  });
});
