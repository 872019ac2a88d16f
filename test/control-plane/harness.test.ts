/**
 * The harness itself: that the servers are the real ones with all that our API builds on, that they end with their maker,
 * and that each of their faults is the fault that it claims to be.
 */
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { assetNamed } from '../../scripts/kube-assets/asset.ts';
import { callerWith, whoAmI, type WhoIAm } from '../support/control-plane/caller-with.ts';
import { anyCluster, ControlPlane, needsCluster, needsControlPlane } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import { optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

const needs = needsControlPlane('kubectl');
const { test } = requires(needs);

const READY_WITHIN_MS = 30_000;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const WIDGETS = '/apis/test.vmnetwork.io/v1/namespaces/default/widgets';

let controlPlane: ControlPlane;

beforeAll(async () => {
  if (!needs.met) return;
  controlPlane = await ControlPlane.start();
  console.info(`kube-apiserver and etcd ready in ${(controlPlane.startedInMs / 1000).toFixed(1)} s`);
}, 120_000);

afterAll(async () => {
  if (needs.met) await controlPlane.stop();
});

interface Status {
  message?: string;
  code?: number;
}

const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

const widgetDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.test.vmnetwork.io' },
  spec: {
    group: 'test.vmnetwork.io',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        selectableFields: [{ jsonPath: '.spec.node' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  node: { type: 'string', maxLength: 63 },
                  address: { type: 'string', maxLength: 45 },
                  range: { type: 'string', maxLength: 49 },
                },
                'x-kubernetes-validations': [
                  { rule: 'isIP(self.address)', message: 'write an address' },
                  {
                    rule: '!isIP(self.address) || cidr(self.range).containsIP(self.address)',
                    message: 'take one in the range',
                  },
                ],
              },
            },
          },
        },
      },
    ],
  },
};

/** Refuses ConfigMaps of this name. */
function refusalOf(name: string): object[] {
  const admission = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: 'test-refusal' } };
  const resourceRules = [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
  ];
  const validations = [{ expression: `object.metadata.name != '${name}'`, message: 'take another name' }];
  return [
    {
      ...admission,
      kind: 'ValidatingAdmissionPolicy',
      spec: { failurePolicy: 'Fail', matchConstraints: { resourceRules }, validations },
    },
    {
      ...admission,
      kind: 'ValidatingAdmissionPolicyBinding',
      spec: { policyName: 'test-refusal', validationActions: ['Deny'] },
    },
  ];
}

describe('the servers', () => {
  test('are of the pinned version and start in time', async () => {
    const { gitVersion } = await controlPlane.api.must<{ gitVersion: string }>('GET', '/version');
    if (process.env['KUBEBUILDER_ASSETS'] === undefined) {
      expect(gitVersion).toBe(assetNamed('kube-apiserver').version);
    }
    expect(controlPlane.startedInMs).toBeLessThan(READY_WITHIN_MS);
  });

  test('check CEL with isIP and cidr, and serve selectable fields', async () => {
    await controlPlane.apply([widgetDefinition]);
    const widget = (name: string, spec: object): object => ({
      apiVersion: 'test.vmnetwork.io/v1',
      kind: 'Widget',
      metadata: { name },
      spec,
    });
    const rightSpec = { node: 'a', address: '192.0.2.1', range: '192.0.2.0/24' };
    await controlPlane.api.must('POST', WIDGETS, widget('right', rightSpec));
    await controlPlane.api.must('POST', WIDGETS, widget('elsewhere', { ...rightSpec, node: 'b' }));
    for (const [wrong, says] of [
      [{ ...rightSpec, address: '192.0.2.01' }, 'an address'],
      [{ ...rightSpec, address: '198.51.100.1' }, 'in the range'],
    ] as const) {
      const { status, body } = await controlPlane.api.call('POST', WIDGETS, widget('wrong', wrong));
      expect([status, (body as Status).message]).toEqual([422, expect.stringContaining(says)]);
    }
    const found = await controlPlane.api.must<{ items: { metadata: { name: string } }[] }>(
      'GET',
      `${WIDGETS}?fieldSelector=spec.node%3Db`,
    );
    expect(found.items.map(({ metadata }) => metadata.name)).toEqual(['elsewhere']);
  });

  test('are cleared of a resource, whoever holds its objects back', async () => {
    const held = { name: 'held', finalizers: ['test.vmnetwork.io/held'] };
    const widget = { apiVersion: 'test.vmnetwork.io/v1', kind: 'Widget', metadata: held };
    await controlPlane.apply([widgetDefinition, widget]);
    await controlPlane.clear('/apis/test.vmnetwork.io/v1/widgets');
    const left = await controlPlane.api.must<{ items: unknown[] }>('GET', WIDGETS);
    expect(left.items).toEqual([]);
  });

  test('enforce a ValidatingAdmissionPolicy', async () => {
    await controlPlane.apply(refusalOf('forbidden-name'));
    const refused = await poll('the policy to be in force', async () => {
      const answer = await controlPlane.api.call(
        'POST',
        `${CONFIG_MAPS}?dryRun=All`,
        configMap('forbidden-name'),
      );
      return answer.status === 422 ? (answer.body as Status) : null;
    });
    expect(refused.message).toContain('take another name');
    await controlPlane.api.must('POST', `${CONFIG_MAPS}?dryRun=All`, configMap('allowed-name'));
  });

  test('ask RBAC, and know users by certificate', async () => {
    const kubeconfig = await controlPlane.kubeconfigFor({ user: 'a/b+c=d', groups: ['one', 'two:three'] });
    const caller = callerWith(kubeconfig);
    const { username, groups } = await whoAmI(caller);
    expect([username, groups]).toEqual(['a/b+c=d', ['one', 'two:three', 'system:authenticated']]);
    expect((await caller.call('GET', CONFIG_MAPS)).status).toBe(403);
    caller.close();
  });

  test('give tokens that are bound to a Node and end with it', async () => {
    const account = { namespace: 'test-agents', name: 'agent', node: 'node-a' };
    const caller = callerWith(await controlPlane.kubeconfigForServiceAccount(account));
    // The server remembers for ten seconds what it has found out about a token: this one it has not seen.
    const unseen = callerWith(await controlPlane.kubeconfigForServiceAccount(account));
    const { username, extra } = await whoAmI(caller);
    expect(username).toBe('system:serviceaccount:test-agents:agent');
    expect(extra?.['authentication.kubernetes.io/node-name']).toEqual(['node-a']);
    await controlPlane.api.must('DELETE', '/api/v1/nodes/node-a');
    expect((await unseen.call('GET', CONFIG_MAPS)).status).toBe(401);
    for (const each of [caller, unseen]) each.close();
  });

  test('answer kubectl, as admin and as somebody with extra', async () => {
    expect(await controlPlane.mustKubectl(['get', 'namespaces', '-o', 'name'])).toContain(
      'namespace/default',
    );
    const kubeconfig = await controlPlane.kubeconfigFor({
      user: 'u',
      groups: ['g'],
      extra: { 'a.test/key': ['v'] },
    });
    const who = await controlPlane.mustKubectl(['auth', 'whoami', '-o', 'json'], { kubeconfig });
    expect((JSON.parse(who) as WhoIAm).status.userInfo).toMatchObject({
      username: 'u',
      extra: { 'a.test/key': ['v'] },
    });
  });

  test('have ServiceCIDRs', async () => {
    const path = '/apis/networking.k8s.io/v1/servicecidrs/kubernetes';
    const made = await poll('the default ServiceCIDR', async () => {
      const { status, body } = await controlPlane.api.call('GET', path);
      return status === 200 ? (body as { spec: { cidrs: string[] } }) : null;
    });
    expect(made.spec.cidrs).toEqual(['10.96.0.0/16', 'fd00:10:96::/112']);
  });
});

/** They come after the others: each leaves the servers other than it found them. */
describe('what happens to the servers', () => {
  const answers = async (): Promise<boolean> => {
    try {
      return (await controlPlane.api.call('GET', '/readyz')).status === 200;
    } catch {
      return false;
    }
  };

  test('killed, the API server comes back at its address with its data', async () => {
    await controlPlane.api.must('POST', CONFIG_MAPS, configMap('kept'));
    await controlPlane.kill9ApiServer();
    expect(await answers()).toBe(false);
    await controlPlane.restartApiServer();
    await controlPlane.api.must('GET', `${CONFIG_MAPS}/kept`);
  });

  test('frozen, it accepts connections and is silent until it is thawed', async () => {
    await controlPlane.freezeApiServer();
    await expect(controlPlane.api.call('GET', '/readyz', undefined, { timeoutMs: 300 })).rejects.toThrow(
      'no answer in 300 ms',
    );
    controlPlane.thawApiServer();
    await poll('the thawed server to answer', answers);
  });

  test('emptied, it has nothing any more and knows the same users', async () => {
    await controlPlane.emptyEtcd();
    expect((await controlPlane.api.call('GET', `${CONFIG_MAPS}/kept`)).status).toBe(404);
    expect((await controlPlane.api.call('GET', WIDGETS)).status).toBe(404);
  });

  test('they end with their maker, though it is killed', async () => {
    const module = fileURLToPath(new URL('../support/control-plane/control-plane.ts', import.meta.url));
    const script = `const { ControlPlane } = await import(${JSON.stringify(module)});
      console.log(JSON.stringify((await ControlPlane.start()).pids)); setInterval(() => {}, 1000);`;
    const maker = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let pids: number[] = [];
    try {
      const [line] = (await once(createInterface(maker.stdout), 'line')) as [string];
      pids = JSON.parse(line) as number[];
      expect(pids.map(isRunning)).toEqual([true, true]);
      maker.kill('SIGKILL');
      await poll('the servers to end', () => !pids.some(isRunning));
    } finally {
      maker.kill('SIGKILL');
      for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL');
    }
  });

  test('stopped, they are gone, and stopping twice is no error', async () => {
    const { pids } = controlPlane;
    await controlPlane.stop();
    await controlPlane.stop();
    expect(pids.map(isRunning)).toEqual([false, false]);
  });
});

const managed = requires(optional(needsControlPlane('kube-controller-manager')));

describe('the controllers of Kubernetes itself', () => {
  managed.test('run when they are asked for, and only those', async () => {
    const withControllers = await ControlPlane.start({ controllers: ['garbage-collector-controller'] });
    try {
      const { api } = withControllers;
      const owner = await api.must<{ metadata: { uid: string } }>('POST', CONFIG_MAPS, configMap('owner'));
      const ownerReference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
      const metadata = { name: 'owned', ownerReferences: [ownerReference] };
      await api.must('POST', CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
      await api.must('DELETE', `${CONFIG_MAPS}/owner`);
      const isCollected = async (): Promise<boolean> =>
        (await api.call('GET', `${CONFIG_MAPS}/owned`)).status === 404;
      await poll('what nobody owns any more to be collected', isCollected, { deadlineMs: 30_000 });
    } finally {
      await withControllers.stop();
    }
  });
});

const shared = requires(await needsCluster());

describe('a cluster for tests that kill nothing', () => {
  shared.test('gives each a namespace of its own', async () => {
    const { cluster, release } = await anyCluster();
    try {
      const [one, other] = [await cluster.inNamespace(), await cluster.inNamespace()];
      expect(one).not.toBe(other);
      await cluster.apply([configMap('here')], one);
      const path = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps/here`;
      const found = [await cluster.api.call('GET', path(one)), await cluster.api.call('GET', path(other))];
      expect(found.map(({ status }) => status)).toEqual([200, 404]);
    } finally {
      await release();
    }
  });
});

function isRunning(pid: number): boolean {
  try {
    // A zombie still takes signals, and is gone all the same.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}
