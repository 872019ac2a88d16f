import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assetNamed } from '../../../scripts/kube-assets/asset.ts';
import { mustRun, poll, runCommand } from '../lab/index.ts';
import { Undertaker } from '../lab/undertaker.ts';
import type { Requirement } from '../skip.ts';
import type { ClusterOptions } from './cluster.ts';
import { openExistingCluster } from './existing-cluster.ts';

/** k3s of the Kubernetes version that is built here. No image is fetched: whoever wants this has it. */
function image(): string {
  return process.env['VMN_K3S_IMAGE'] ?? `rancher/k3s:${assetNamed('kube-apiserver').version}-k3s1`;
}

/** Docker answers and has the image. */
export async function k3sRequirement(): Promise<Requirement> {
  const docker = await runCommand(['docker', 'version', '--format', '{{.Server.Version}}']).catch(() => null);
  if (docker?.code !== 0)
    return { met: false, optional: true, reason: 'TEST_CLUSTER=k3s needs a Docker that answers' };
  const { code } = await runCommand(['docker', 'image', 'inspect', image()]);
  return {
    met: code === 0,
    optional: true,
    reason: `TEST_CLUSTER=k3s needs its image: docker pull ${image()}`,
  };
}

export interface K3s {
  access: ClusterOptions;
  kubeconfig: string;
  stop: () => Promise<void>;
}

/** One k3s server in a container, published on loopback; it goes with this process, however that ends. */
export async function startK3s(folder: string): Promise<K3s> {
  const requirement = await k3sRequirement();
  if (!requirement.met) throw new Error(requirement.reason);
  const name = `vmn-k3s-${String(process.pid)}-${String(Date.now())}`;
  const undertaker = new Undertaker();
  undertaker.promise(`docker rm --force --volumes ${name} >/dev/null`);
  try {
    const server = ['server', '--disable=traefik,metrics-server,servicelb'];
    const container = ['--detach', '--privileged', '--name', name, '--publish', '127.0.0.1::6443'];
    await mustRun(['docker', 'run', ...container, image(), ...server], { timeoutMs: 60_000 });
    const address = (await mustRun(['docker', 'port', name, '6443'])).trim();
    const yaml = await poll(
      'k3s to write its kubeconfig',
      async () => {
        const { code, stdout } = await runCommand([
          'docker',
          'exec',
          name,
          'cat',
          '/etc/rancher/k3s/k3s.yaml',
        ]);
        return code === 0 && stdout.includes('client-key-data') ? stdout : null;
      },
      { deadlineMs: 90_000, everyMs: 500 },
    );
    const kubeconfig = join(folder, 'k3s.yaml');
    writeFileSync(kubeconfig, yaml.replace('127.0.0.1:6443', address), { mode: 0o600 });
    const access = await openExistingCluster(folder, { ...process.env, KUBECONFIG: kubeconfig });
    return { access, kubeconfig, stop: () => undertaker.close() };
  } catch (error) {
    await undertaker.close();
    throw error;
  }
}
