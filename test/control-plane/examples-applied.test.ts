/** Every manifest of examples/, as a reader would try it: kubectl apply, kubectl wait. Only the hosts are played. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  conditionOf,
  machine,
  NETWORKS,
  SECRETS,
  Stage,
  type AnyObject,
  type Machine,
  type Network,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const FOLDER = join(import.meta.dirname, '../../examples');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
/** What a network in an example is allowed to need beside itself: a Secret for the key that it names. */
const PRESHARED_KEY = Buffer.alloc(32, 7).toString('base64');

interface Selector {
  names?: string[];
  uuids?: string[];
  matchLabels?: Record<string, string>;
  nodeName?: string;
}

const needs = needsControlPlane('kubectl', 'helm');
const { describe: describeExamples } = requires(needs);

let stage: Stage;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  await stage.controller();
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(() => {
  expect(stage?.refusals ?? []).toEqual([]);
  expect(stage?.witness.doubles ?? []).toEqual([]);
});

function documentsOf(file: string): AnyObject[] {
  return parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map(
    (document) => document.toJS() as AnyObject,
  );
}

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

async function provideSecret(namespace: string, spec: Network['spec']): Promise<void> {
  const { presharedKeySecretRef: ref } = (spec['wireGuard'] ?? {}) as {
    presharedKeySecretRef?: { name: string; key: string };
  };
  if (ref === undefined || (await stage.admin.find(SECRETS, { namespace, name: ref.name })) !== null) return;
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: ref.name, namespace },
    stringData: { [ref.key]: PRESHARED_KEY },
  };
  await stage.admin.create(SECRETS, secret);
}

describeExamples('[K8-1] examples', () => {
  // Kinds of other projects (a VirtualMachine, say) are for clusters that have them.
  const ours = FILES.filter((file) =>
    documentsOf(file).every(({ apiVersion }) => /^(vmnetwork\.io\/.*|v1)$/.test(apiVersion ?? '')),
  );

  test('are all tried', () => {
    expect(ours).toEqual(FILES);
  });

  test.each(ours)('%s is applied, reconciled, and `kubectl wait` returns', async (file) => {
    const networks = documentsOf(file).filter(({ kind }) => kind === 'VMNetwork') as Network[];
    const hosts = new Map<string, Machine[]>();
    for (const { metadata, spec } of networks) {
      const { namespace = 'default' } = metadata;
      await stage.plane.ensureNamespace(namespace);
      await provideSecret(namespace, spec);
      const selector = spec['selector'] as Selector;
      const host = selector.nodeName || 'host-of-the-examples';
      hosts.set(host, [...(hosts.get(host) ?? []), ...machinesFor(selector, namespace)]);
    }
    const agents = await Promise.all(
      [...hosts].map(([nodeName, machines]) => stage.agent({ nodeName, machines })),
    );

    const path = join(FOLDER, file);
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
