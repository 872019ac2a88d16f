/** From what a host published of its guest to what the tenant puts on its end, with the tenant's own rights. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { machine, Stage, type Network } from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const PLUGIN = fileURLToPath(new URL('../../bin/kubectl-vmnet', import.meta.url));
const CONSUMER_KEY = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const BINDINGS = { root: '/apis/rbac.authorization.k8s.io/v1', plural: 'rolebindings' };

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  await stage.controller();
});

afterAll(async () => {
  await stage?.strike();
});

interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `kubectl vmnet ARGS`, as kubectl runs it. */
function plugin(kubeconfig: string, ...args: readonly string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = spawn(PLUGIN, args, { env: { PATH: process.env['PATH'], KUBECONFIG: kubeconfig } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Of a user who holds that ClusterRole in the namespace, or none. */
async function userWith(role: string | null, namespace: string): Promise<string> {
  const user = stage.name('tenant');
  if (role !== null) {
    const rbac = 'rbac.authorization.k8s.io';
    await stage.admin.create(BINDINGS, {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name: user, namespace },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: rbac, kind: 'User', name: user }],
    });
  }
  return await stage.plane.kubeconfigFor({ user, groups: [] });
}

describe('kubectl vmnet peer-config', () => {
  let namespace = '';
  let vm = '';
  let network: Network;

  beforeAll(async () => {
    if (!needs.met) return;
    namespace = await stage.namespace();
    vm = stage.name('vm');
    await stage.agent({ machines: [machine(vm)] });
    const wireGuard = { peerPublicKey: CONSUMER_KEY, addresses: ['10.99.0.2/32'] };
    await stage.network(namespace, 'net', { wireGuard, selector: { names: [vm] } });
    network = await stage.untilReady(namespace, 'net');
  });

  test('a tenant that may view gets the key that the host published, for the VM by its name', async () => {
    const tenant = await userWith('vmnetwork-tenant-view', namespace);
    const { code, stdout, stderr } = await plugin(tenant, 'peer-config', 'net', '-n', namespace);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [peer] = network.status!.peers!;
    expect(stdout).toContain(
      ['[Peer]', `# VM ${vm}, attachment ${peer!.attachment}`, `PublicKey = ${peer!.publicKey}`, ''].join(
        '\n',
      ),
    );
    expect(stdout).toContain('\nAllowedIPs = 10.99.0.2/32\n');
    expect(stdout).toContain(CONSUMER_KEY);
  });

  test('a stranger is told which right it takes, and a network that is not there where to look', async () => {
    const stranger = await userWith(null, namespace);
    const refused = await plugin(stranger, 'peer-config', `${namespace}/net`);
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(refused.stderr).toContain(`get vmnetworks in namespace ${namespace}`);
    const tenant = await userWith('vmnetwork-tenant-view', namespace);
    const missing = await plugin(tenant, 'peer-config', 'other', '-n', namespace);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain(`VMNetwork ${namespace}/other: is not in this cluster`);
  });

  test('a network whose VM has no key is refused with what to do', async () => {
    const tenant = await userWith('vmnetwork-tenant-view', namespace);
    const late = stage.name('late');
    await stage.agent({ machines: [machine(late)] });
    await stage.network(namespace, 'keyless', { selector: { names: [late] } });
    await stage.untilReady(namespace, 'keyless');
    const { code, stderr } = await plugin(tenant, 'peer-config', 'keyless', '-n', namespace);
    expect(code).toBe(1);
    expect(stderr).toContain('spec.wireGuard.peerPublicKey is not set');
    expect(stderr).toContain('wg pubkey');
  });

  test('anything else is not a command of the plugin', async () => {
    expect(await plugin('/nonexistent', 'drain')).toMatchObject({ code: 2, stdout: '' });
  });
});
