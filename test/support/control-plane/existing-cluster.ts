import { findAsset } from '../../../scripts/kube-assets/cache.ts';
import { mustRun } from '../lab/index.ts';
import type { ClusterOptions } from './cluster.ts';

interface ConfigView {
  clusters?: { cluster: { server: string; 'certificate-authority-data'?: string } }[];
  users?: {
    user: { 'client-certificate-data'?: string; 'client-key-data'?: string; token?: string };
  }[];
}

/**
 * The cluster that KUBECONFIG's current context names, as an admin with a certificate or a token (what kind, k3s and
 * kubeadm write). Its users are impersonated, because the key that signs their certificates is not ours.
 */
export async function openExistingCluster(folder: string, env: NodeJS.ProcessEnv): Promise<ClusterOptions> {
  if (env['KUBECONFIG'] === undefined) {
    throw new Error('TEST_CLUSTER=existing: set KUBECONFIG to the cluster that may be changed by tests');
  }
  const kubectl = findAsset('kubectl', env) ?? 'kubectl';
  const view = ['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json'];
  const { clusters, users } = JSON.parse(await mustRun([kubectl, ...view], { env })) as ConfigView;
  const cluster = clusters?.[0]?.cluster;
  const user = users?.[0]?.user ?? {};
  const certificate = decoded(user['client-certificate-data']);
  const key = decoded(user['client-key-data']);
  if (cluster === undefined || (certificate === undefined && user.token === undefined)) {
    throw new Error(
      'TEST_CLUSTER=existing: the current context of KUBECONFIG needs a cluster and a user with a certificate or token',
    );
  }
  return {
    url: cluster.server,
    authority: decoded(cluster['certificate-authority-data']),
    admin: {
      ...(certificate === undefined ? {} : { certificate }),
      ...(key === undefined ? {} : { key }),
      ...(user.token === undefined ? {} : { token: user.token }),
    },
    issuer: null,
    folder,
    programs: { kubectl, helm: findAsset('helm', env) },
  };
}

function decoded(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
