/** The agents of the chart: what they are started with, what they may do on their hosts, and that the API server takes them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AGENT_CAPABILITIES } from '../../src/agent/host/capabilities.ts';
import { parseAgentOptions } from '../../src/agent/options.ts';
import { DEFAULT_PATHS } from '../../src/agent/wiring/paths.ts';
import { findAsset } from '../../scripts/kube-assets/cache.ts';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { type GuardedCluster, startGuardedCluster } from '../support/chart/guarded-cluster.ts';
import { Helm, objectNamed, SYSTEM_NAMESPACE, type Values } from '../support/chart/helm.ts';
import { create, dry, verdict } from '../support/chart/requests.ts';
import { vmNode } from '../support/chart/specimens.ts';
import { TURNED_AGENT } from '../support/chart/turned-agent.ts';
import { requires } from '../support/skip.ts';

const { describe } = requires(needsControlPlane('kubectl', 'helm'));

interface Probe {
  httpGet: { path: string; port: string; host?: string };
}
interface Container {
  args: string[];
  env: { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[];
  ports: { name: string; containerPort: number }[];
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  securityContext: { privileged: boolean; capabilities: { drop: string[]; add: string[] } };
  volumeMounts: { name: string; mountPath: string; mountPropagation?: string }[];
}
interface PodSpec {
  serviceAccountName: string;
  automountServiceAccountToken: boolean;
  hostNetwork: boolean;
  hostPID: boolean;
  nodeSelector: Record<string, string>;
  tolerations?: object[];
  priorityClassName?: string;
  containers: [Container];
  volumes: { name: string; hostPath: { path: string } }[];
}
interface DaemonSet {
  spec: {
    selector: { matchLabels: Record<string, string> };
    updateStrategy: { rollingUpdate: object };
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  };
}

const TURNED: Values = { agent: TURNED_AGENT };

describe('the agents of the chart', () => {
  let folder: string;
  let helm: Helm;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmn-chart-agent-'));
    helm = new Helm(findAsset('helm') ?? 'helm', folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const daemonSet = async (values: Values = {}): Promise<DaemonSet> =>
    objectNamed(await helm.template(values), 'DaemonSet', 'vmnetwork-agent') as unknown as DaemonSet;
  const podSpec = async (values: Values = {}): Promise<PodSpec> =>
    (await daemonSet(values)).spec.template.spec;
  const container = async (values: Values = {}): Promise<Container> => (await podSpec(values)).containers[0];

  test('understand their command line, and take their node and namespace from the pod', async () => {
    const expected = [
      { pool: '100.64.0.0/16', managedInterfaces: [], healthAddress: { host: '127.0.0.1', port: 9477 } },
      {
        pool: '100.65.0.0/20',
        managedInterfaces: ['tap*', 'vnet*'],
        logLevel: 'debug',
        healthAddress: { host: '::', port: 9999 },
      },
    ];
    for (const [at, values] of [{}, TURNED].entries()) {
      const { args, env, ports } = await container(values);
      const sources = Object.fromEntries(
        env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef.fieldPath]),
      );
      expect(sources).toEqual({
        NODE_NAME: 'spec.nodeName',
        POD_NAMESPACE: 'metadata.namespace',
        VMNET_PROC_SYS_NET: '/host/proc/sys/net',
      });
      const around = { NODE_NAME: 'node-3', POD_NAMESPACE: 'elsewhere' };
      // As the kubelet does.
      const argv = args.map((arg) => arg.replace('$(NODE_NAME)', around.NODE_NAME));
      const options = parseAgentOptions(argv, { version: '0.1.0', hostname: 'h', env: around });
      expect(options).toMatchObject({
        ...DEFAULT_PATHS,
        ...expected[at],
        nodeName: 'node-3',
        source: { kind: 'cluster', kubeconfig: undefined, namespace: 'elsewhere' },
      });
      expect(ports).toEqual([{ name: 'health', containerPort: options.healthAddress?.port }]);
    }
  });

  test('have the capabilities that they are tested with, and no others', async () => {
    const names = AGENT_CAPABILITIES.map(({ name }) => name);
    const granted = (await container()).securityContext;
    expect([granted.privileged, granted.capabilities.drop]).toEqual([false, ['ALL']]);
    expect(granted.capabilities.add.sort()).toEqual(names.sort());
    const fewer = (await container(TURNED)).securityContext.capabilities.add;
    expect(fewer.sort()).toEqual(names.filter((name) => name !== 'SYS_ADMIN'));
  });

  test('keep on the host what has to outlive them, and mount nothing there', async () => {
    const { volumes, containers } = await podSpec();
    const { volumeMounts } = containers[0];
    const places = volumeMounts.map(({ name, mountPath }) => [
      volumes.find((volume) => volume.name === name)?.hostPath.path,
      mountPath,
    ]);
    expect(places).toEqual([
      [DEFAULT_PATHS.stateDir, DEFAULT_PATHS.stateDir],
      [DEFAULT_PATHS.runDir, DEFAULT_PATHS.runDir],
      ['/sys/fs/bpf', '/sys/fs/bpf'],
      ['/dev/net/tun', '/dev/net/tun'],
      ['/proc/sys/net', '/host/proc/sys/net'],
    ]);
    expect(volumeMounts.map(({ mountPropagation }) => mountPropagation)).not.toContain('Bidirectional');
  });

  test('are asked for their health where they listen', async () => {
    for (const [values, host] of [
      [{}, '127.0.0.1'],
      [TURNED, undefined],
    ] as const) {
      const { startupProbe, livenessProbe, readinessProbe } = await container(values);
      const asked = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet);
      expect(asked.map((get) => get.host)).toEqual([host, host, host]);
      expect(asked.map(({ path }) => path)).toEqual(['/healthz', '/healthz', '/readyz']);
    }
  });

  test('are on every Linux node, one at a time, and never selected by another label', async () => {
    const { spec } = await daemonSet();
    expect(spec.updateStrategy.rollingUpdate).toEqual({ maxUnavailable: 1, maxSurge: 0 });
    expect(spec.template.spec).toMatchObject({
      ...{ hostNetwork: true, hostPID: true, automountServiceAccountToken: true },
      serviceAccountName: 'vmnetwork-agent',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ operator: 'Exists' }],
      priorityClassName: 'system-node-critical',
    });
    const turned = await daemonSet(TURNED);
    expect(turned.spec.template.metadata.labels).toMatchObject({
      ...turned.spec.selector.matchLabels,
      team: 'blue',
    });
    expect(turned.spec.template.spec).toMatchObject({
      nodeSelector: { 'kubernetes.io/os': 'linux', rents: 'vms' },
    });
    expect(turned.spec.template.spec).not.toHaveProperty('tolerations');
    expect(turned.spec.template.spec).not.toHaveProperty('priorityClassName');
  });

  test('are left out where hosts have agents of their own, whose identity stays', async () => {
    const kinds = (await helm.template({ agent: { enabled: false } })).map(
      ({ kind, metadata }) => `${kind} ${metadata.name}`,
    );
    expect(kinds).not.toContain('DaemonSet vmnetwork-agent');
    expect(kinds).toContain('ServiceAccount vmnetwork-agent');
  });

  test.each<[string, Values, RegExp]>([
    ['a pattern that matches everything', { managedInterfaces: ['*'] }, /managedInterfaces/],
    ['patterns as one text', { managedInterfaces: 'vnet*' }, /managedInterfaces/],
    ['a pool that is no network', { pool: '100.64.0.0' }, /pool/],
    ['a name to listen at', { healthHost: 'localhost' }, /healthHost/],
    ['more capabilities', { capabilities: ['SYS_MODULE'] }, /capabilities/],
  ])('%s is refused', async (_, agent, place) => {
    await expect(helm.template({ agent })).rejects.toThrow(place);
  });

  describe('in a cluster', () => {
    let guarded: GuardedCluster;
    beforeAll(async () => {
      guarded = await startGuardedCluster();
    }, 60_000);
    afterAll(() => guarded?.stop());

    /** As the DaemonSet's controller makes it: it names the node. */
    const podOn = async (node: string, values: Values = {}): Promise<object> => {
      const spec = { ...(await podSpec(values)), nodeName: node };
      return { apiVersion: 'v1', kind: 'Pod', metadata: { name: `agent-${node}` }, spec };
    };

    test('their pods are taken where the pod security standard allows privileged ones, and nowhere else', async () => {
      const { cluster } = guarded;
      for (const [name, level, expected] of [
        ['open', 'privileged', /^accepted$/],
        ['strict', 'baseline', /PodSecurity "baseline/],
      ] as const) {
        const labels = { 'pod-security.kubernetes.io/enforce': level };
        await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }]);
        await cluster.serviceAccountToken({ namespace: name, name: 'vmnetwork-agent' });
        for (const values of [{}, TURNED]) {
          const asked = dry(create(`/api/v1/namespaces/${name}/pods`, await podOn('node-a', values)));
          expect(await verdict(cluster.api, asked)).toMatch(expected);
        }
      }
    }, 60_000);

    test('with the token of its pod each speaks for its node, and for no other', async () => {
      const { cluster } = guarded;
      const pods = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods`;
      await cluster.ensureNode('node-a');
      const { metadata } = await cluster.api.must<{ metadata: { uid: string } }>(
        'POST',
        pods,
        await podOn('node-a'),
      );
      const account = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/serviceaccounts/vmnetwork-agent/token`;
      const pod = { apiVersion: 'v1', kind: 'Pod', name: 'agent-node-a', uid: metadata.uid };
      const { status } = await cluster.api.must<{ status: { token: string } }>('POST', account, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { boundObjectRef: pod },
      });
      const tokenFile = join(folder, 'token');
      writeFileSync(tokenFile, status.token);
      const kubeconfig = cluster.kubeconfigForTokenFile(tokenFile);
      const kubectl = async (name: string): Promise<string> => {
        const { code, stderr } = await cluster.kubectl(['create', '--dry-run=server', '-f', '-'], {
          kubeconfig,
          input: JSON.stringify(vmNode(name)),
        });
        return code === 0 ? 'accepted' : stderr;
      };
      expect(await kubectl('node-a')).toBe('accepted');
      expect(await kubectl('node-b')).toContain('may not write what belongs to node node-b');
    }, 60_000);
  });
});
