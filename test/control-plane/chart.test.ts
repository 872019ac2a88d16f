/** The chart by the real helm: what it renders, what it refuses, and what install, upgrade and uninstall do to a cluster. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cpSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { renderCrds } from '../../src/api/crd/render.ts';
import { parseControllerOptions } from '../../src/controller/options.ts';
import { findAsset } from '../../scripts/kube-assets/cache.ts';
import { ControlPlane, needsControlPlane, parseManifests } from '../support/control-plane/index.ts';
import type { Manifest } from '../support/control-plane/manifests.ts';
import { requires } from '../support/skip.ts';
import { CHART, Helm, SYSTEM_NAMESPACE, objectNamed, type Values } from '../support/chart/helm.ts';
import { untilPoliciesAreInForce } from '../support/chart/guarded-cluster.ts';
import { create, dry, get, merge, send, verdict, verdictOf } from '../support/chart/requests.ts';
import { network } from '../support/chart/specimens.ts';
import { TURNED_AGENT } from '../support/chart/turned-agent.ts';

const needs = needsControlPlane('kubectl', 'helm');
const { describe } = requires(needs);

let folder: string;
let helm: Helm;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmn-chart-'));
  helm = new Helm(findAsset('helm') ?? 'helm', folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Container {
  image: string;
  args: string[];
  env: { name: string }[];
}
interface Deployment {
  spec: {
    replicas: number;
    selector: { matchLabels: Record<string, string> };
    template: {
      metadata: { labels: Record<string, string>; annotations: Record<string, string> };
      spec: { containers: [Container]; priorityClassName?: string; imagePullSecrets?: object[] };
    };
  };
}

const deployment = async (values: Values): Promise<Deployment> =>
  objectNamed(await helm.template(values), 'Deployment', 'vmnetwork-controller') as unknown as Deployment;
const kindsOf = async (values: Values): Promise<string[]> =>
  (await helm.template(values)).map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();

describe('what is rendered', () => {
  test('lint finds nothing, as it is and with every switch turned', async () => {
    for (const values of [{}, turned()]) {
      const { code, stdout } = await helm.run(['lint', '--strict', CHART, '--values=-'], values);
      expect([code, stdout]).toEqual([0, expect.not.stringMatching(/WARNING|ERROR/)]);
    }
  });

  test('by default', async () => {
    const policies = [
      'class-limits',
      'class-use',
      'metadata',
      'node-events',
      'node-leases',
      'node-objects',
      'secret-access',
      'writers',
    ];
    expect(await kindsOf({})).toEqual(
      [
        'ClusterRole vmnetwork-agent',
        'ClusterRole vmnetwork-class-view',
        'ClusterRole vmnetwork-controller',
        'ClusterRole vmnetwork-default-class-use',
        'ClusterRole vmnetwork-tenant-edit',
        'ClusterRole vmnetwork-tenant-view',
        'ClusterRoleBinding vmnetwork-agent',
        'ClusterRoleBinding vmnetwork-controller',
        'ClusterRoleBinding vmnetwork-default-class-use',
        'DaemonSet vmnetwork-agent',
        'Deployment vmnetwork-controller',
        'PodDisruptionBudget vmnetwork-controller',
        'Role vmnetwork-agent',
        'Role vmnetwork-controller',
        'RoleBinding vmnetwork-agent',
        'RoleBinding vmnetwork-controller',
        'ServiceAccount vmnetwork-agent',
        'ServiceAccount vmnetwork-controller',
        'VMNetworkClass default',
        ...policies.map((name) => `ValidatingAdmissionPolicy vmnetwork-${name}`),
        ...policies.map((name) => `ValidatingAdmissionPolicyBinding vmnetwork-${name}`),
      ].sort(),
    );
  });

  test.each<[string, Values, (kinds: readonly string[]) => void]>([
    [
      'no guardrails',
      { guardrails: { enabled: false } },
      (kinds) => expect(kinds.filter((kind) => kind.startsWith('Validating'))).toEqual([]),
    ],
    [
      'classes that anyone may name',
      { guardrails: { classUse: false } },
      (kinds) => expect(kinds.filter((kind) => kind.includes('class-use'))).toEqual([]),
    ],
    [
      'no look at Secrets',
      { guardrails: { secretAccess: false } },
      (kinds) => expect(kinds).not.toContain('ValidatingAdmissionPolicy vmnetwork-secret-access'),
    ],
    [
      'no class',
      { defaultClass: { create: false } },
      (kinds) => expect(kinds).not.toContain('VMNetworkClass default'),
    ],
    [
      'one replica, which no budget may hold up',
      { controller: { replicas: 1 } },
      (kinds) => expect(kinds).not.toContain('PodDisruptionBudget vmnetwork-controller'),
    ],
    [
      'classes for all to read',
      { tenants: { readClasses: true } },
      (kinds) => expect(kinds).toContain('ClusterRoleBinding vmnetwork-class-view'),
    ],
  ])('%s', async (_, values, expectation) => expectation(await kindsOf(values)));

  test('every policy is bound, denies, and fails closed', async () => {
    interface Policy {
      kind: string;
      metadata: { name: string };
      spec: { failurePolicy?: string; policyName?: string; validationActions?: string[] };
    }
    const objects = (await helm.template({})) as unknown as Policy[];
    const policies = objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    const bindings = objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');
    expect(policies.map(({ spec }) => spec.failurePolicy)).toEqual(policies.map(() => 'Fail'));
    expect(bindings.map(({ spec }) => spec.validationActions)).toEqual(bindings.map(() => ['Deny']));
    expect(bindings.map(({ spec }) => spec.policyName).sort()).toEqual(
      policies.map(({ metadata }) => metadata.name).sort(),
    );
  });

  test('image, and a digest that wins', async () => {
    const image = async (values: Values) =>
      (await deployment({ image: values })).spec.template.spec.containers[0].image;
    expect(await image({})).toBe('vmnetwork/vmnetwork:0.1.0');
    expect(await image({ repository: 'registry:5000/a/b', tag: 'v2' })).toBe('registry:5000/a/b:v2');
    const digest = `sha256:${'0a'.repeat(32)}`;
    expect(await image({ tag: 'v2', digest })).toBe(`vmnetwork/vmnetwork@${digest}`);
  });

  test('the controller understands its command line', async () => {
    for (const values of [{}, turned()]) {
      const { args, env } = (await deployment(values)).spec.template.spec.containers[0];
      expect(env.map(({ name }) => name)).toEqual(['POD_NAME', 'POD_NAMESPACE']);
      const around = {
        version: '0.1.0',
        hostname: 'h',
        env: { POD_NAME: 'pod-1', POD_NAMESPACE: 'elsewhere' },
      };
      const { controller } = { ...defaults(), ...values } as {
        controller: { workers: number; healthPort: number };
      };
      expect(parseControllerOptions(args, around)).toMatchObject({
        identity: 'pod-1',
        namespace: 'elsewhere',
        workers: controller.workers,
        healthAddress: { port: controller.healthPort },
      });
    }
  });

  test('labels and annotations are added, and never change what is selected', async () => {
    const { spec } = await deployment({
      controller: {
        podLabels: { 'app.kubernetes.io/name': 'other', team: 'blue' },
        podAnnotations: { note: '1' },
      },
    });
    expect(spec.template.metadata.labels).toMatchObject({ ...spec.selector.matchLabels, team: 'blue' });
    expect(spec.template.metadata.annotations).toMatchObject({ note: '1' });
  });

  test('the identities follow the namespace', async () => {
    const elsewhere = await helm.run(['template', 'vmnetwork', CHART, '--namespace=elsewhere']);
    expect(elsewhere.stdout).toContain("'system:serviceaccount:elsewhere:vmnetwork-agent'");
    expect(elsewhere.stdout).not.toContain('vmnetwork-system');
  });

  test.each<[string, Values, RegExp]>([
    ['an unknown key', { controler: {} }, /controler/],
    ['an unknown key further down', { guardrails: { classUsage: true } }, /classUsage/],
    ['no replica', { controller: { replicas: 0 } }, /controller.replicas|\/controller\/replicas/],
    ['text for a switch', { guardrails: { enabled: 'yes' } }, /guardrails.enabled|\/guardrails\/enabled/],
    ['half a digest', { image: { digest: 'sha256:abc' } }, /image.digest|\/image\/digest/],
    ['a privileged port', { controller: { healthPort: 80 } }, /healthPort/],
    ['an unknown level', { controller: { logLevel: 'loud' } }, /logLevel/],
    ['a switch taken away', { guardrails: null }, /guardrails/],
  ])('%s is refused', async (_, values, place) => {
    await expect(helm.template(values)).rejects.toThrow(place);
  });

  test('the CRDs are those of src/api, each once', async () => {
    const rendered = await helm.template({}, ['--include-crds']);
    const crds = rendered.filter(({ kind }) => kind === 'CustomResourceDefinition');
    const byName = (one: Manifest, other: Manifest): number =>
      one.metadata.name.localeCompare(other.metadata.name);
    const generated = [...renderCrds().values()].flatMap((text) => parseManifests(text));
    expect(crds.sort(byName)).toEqual(generated.sort(byName));
    expect((await helm.run(['package', CHART, `--destination=${folder}`])).code).toBe(0);
    const [packed = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    const shown = await helm.run(['show', 'crds', join(folder, packed)]);
    expect(shown.stdout.match(/^kind: CustomResourceDefinition$/gm)).toHaveLength(crds.length);
  });
});

describe('in a cluster', () => {
  let cluster: ControlPlane;
  let inCluster: Helm;
  const install = (args: readonly string[] = [], values: Values = {}) =>
    inCluster.run(
      ['upgrade', '--install', 'vmnetwork', CHART, `--namespace=${SYSTEM_NAMESPACE}`, '--values=-', ...args],
      values,
    );
  const classPath = '/apis/vmnetwork.io/v1alpha1/vmnetworkclasses/default';
  const crdPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vmnetworks.vmnetwork.io';
  const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

  beforeAll(async () => {
    cluster = await ControlPlane.start();
    inCluster = new Helm(cluster.helm, cluster.folder, cluster.adminKubeconfig);
  });

  afterAll(() => cluster?.stop());

  test('a first install brings CRDs, guardrails and the class', async () => {
    const { code, stderr } = await install(['--create-namespace']);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    await untilPoliciesAreInForce(cluster);
    const asked = (spec: object) =>
      dry(
        create('/apis/vmnetwork.io/v1alpha1/namespaces/default/vmnetworks', network('rental', { ...spec })),
      );
    expect(await verdict(cluster.api, asked({ enforcement: 'Audit' }))).toMatch(
      /^refused by vmnetwork-class-limits/,
    );
    expect(await verdict(cluster.api, asked({}))).toBe('accepted');
  });

  test('the API server knows every field that is rendered', async () => {
    // Where nothing is yet, or the fields of the release that is there would be counted in.
    await cluster.ensureNamespace('fresh');
    const apply = [
      'apply',
      '--server-side',
      '--force-conflicts',
      '--dry-run=server',
      '--validate=strict',
      '-f',
      '-',
    ];
    for (const values of [{}, turned()]) {
      for (const object of await helm.template(values, ['--namespace=fresh'])) {
        const { code, stderr } = await cluster.kubectl(apply, { input: JSON.stringify(object) });
        const { kind, metadata } = object;
        expect([kind, metadata.name, code, stderr]).toEqual([kind, metadata.name, 0, '']);
      }
    }
  }, 120_000);

  test('its pods are restricted ones by the pod security standards', async () => {
    const namespace = { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } };
    await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: namespace }]);
    const { spec } = await deployment({ controller: { priorityClassName: '' } });
    const pods = '/api/v1/namespaces/strict/pods';
    await cluster.serviceAccountToken({ namespace: 'strict', name: 'vmnetwork-controller' });
    const pod = (podSpec: object): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'controller' },
      spec: podSpec,
    });
    expect(await verdict(cluster.api, dry(create(pods, pod(spec.template.spec))))).toBe('accepted');
    const lax = pod({ ...spec.template.spec, securityContext: { runAsNonRoot: true } });
    expect(await verdict(cluster.api, dry(create(pods, lax)))).toMatch(/PodSecurity "restricted/);
  });

  test('an upgrade changes what the values say', async () => {
    const values = { defaultClass: { spec: { deniedPorts: [53] } }, guardrails: { classUse: false } };
    expect((await install([], values)).code).toBe(0);
    const { body } = await send(cluster.api, get(classPath));
    expect(body).toMatchObject({ spec: { deniedPorts: [53], allowAudit: false } });
    expect((await send(cluster.api, get(`${policies}/vmnetwork-class-use`))).status).toBe(404);
    expect(
      (await inCluster.run(['rollback', 'vmnetwork', '1', `--namespace=${SYSTEM_NAMESPACE}`])).code,
    ).toBe(0);
    expect(await verdict(cluster.api, get(`${policies}/vmnetwork-class-use`))).toBe('accepted');
  });

  test('an upgrade without the CRDs that it needs is refused with what to run, and that helps', async () => {
    const newer = join(folder, 'newer');
    // Without the link to crds/, which must not be written through.
    cpSync(CHART, newer, { recursive: true, filter: (path) => path !== join(CHART, 'crds') });
    cpSync(realpathSync(join(CHART, 'crds')), join(newer, 'crds'), { recursive: true });
    const file = join(newer, 'crds', 'vmnetwork.io_vmnetworks.yaml');
    const text = readFileSync(file, 'utf8').replace(/maxItems: 64\n/, 'maxItems: 63\n');
    writeFileSync(file, text);
    const line = ['upgrade', 'vmnetwork', newer, `--namespace=${SYSTEM_NAMESPACE}`];
    const { code, stderr } = await inCluster.run(line);
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      'the CRD vmnetworks.vmnetwork.io of this cluster is not the one that this version needs',
    );
    expect(stderr).toContain('selector.properties.names.maxItems');
    expect(stderr).toContain('kubectl apply --server-side --force-conflicts -f CHART/crds/');
    await cluster.mustKubectl(['apply', '--server-side', '--force-conflicts', '-f', join(newer, 'crds')]);
    expect((await inCluster.run(line)).code).toBe(0);
  });

  test('an uninstall takes the guardrails and leaves CRDs, networks and the class; a new install takes them up', async () => {
    const made = '/apis/vmnetwork.io/v1alpha1/namespaces/default/vmnetworks';
    await cluster.api.must('POST', made, network('stays'));
    expect((await inCluster.run(['uninstall', 'vmnetwork', `--namespace=${SYSTEM_NAMESPACE}`])).code).toBe(0);
    for (const path of [crdPath, classPath, `${made}/stays`]) {
      expect([path, verdictOf(await send(cluster.api, get(path)))]).toEqual([path, 'accepted']);
    }
    const { items } = await cluster.api.must<{ items: { metadata: { name: string } }[] }>('GET', policies);
    expect(items.filter(({ metadata }) => metadata.name.startsWith('vmnetwork-'))).toEqual([]);
    expect(await verdict(cluster.api, dry(merge(classPath, { spec: { allowAudit: true } })))).toBe(
      'accepted',
    );
    await cluster.installCrds(join(CHART, 'crds'));
    expect((await install()).code).toBe(0);
  });
});

function defaults(): Values {
  return parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;
}

/** Everything other than by default that leaves something to render. */
function turned(): Values {
  return {
    image: { digest: `sha256:${'0a'.repeat(32)}`, pullPolicy: 'Always', pullSecrets: [{ name: 'registry' }] },
    controller: {
      replicas: 3,
      workers: 8,
      logLevel: 'debug',
      healthPort: 9090,
      resources: {},
      priorityClassName: '',
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [
        { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
      ],
      podAnnotations: { 'example.com/scrape': 'true' },
      podLabels: { team: 'blue' },
    },
    agent: TURNED_AGENT,
    defaultClass: {
      spec: {
        allowedModes: ['Filtered'],
        deniedDestinations: { privateRanges: true, sharedRange: true },
        limits: { maximum: { packetsPerSecond: 50_000 } },
        vmOwnership: 'Namespace',
        maximumViolationAction: 'Quarantine',
      },
    },
    guardrails: { classUse: false, secretAccess: false },
    tenants: { aggregate: false, readClasses: true },
  };
}
