/** What tests of the control plane ask of a machine, for `requires()` of skip.ts. Nothing is built from within a test. */
import { AssetUnavailable } from '../../../scripts/kube-assets/asset-unavailable.ts';
import { CONTROL_PLANE_ASSETS, type AssetName } from '../../../scripts/kube-assets/asset.ts';
import { findAsset } from '../../../scripts/kube-assets/cache.ts';
import { testCluster } from './any-cluster.ts';
import { k3sRequirement } from './k3s.ts';
import { executable } from '../requirement.ts';
import type { Requirement } from '../skip.ts';

/** Why the test runner could not bring the programs; it has tried before the first test. */
export const PROBLEM_VARIABLE = 'VMN_KUBE_ASSETS_PROBLEM';

const SERVERS: readonly AssetName[] = ['etcd', 'kube-apiserver'];

/** etcd, kube-apiserver and `more` are built, and so are the tools that start them. */
export function needsControlPlane(...more: readonly AssetName[]): Requirement {
  const tools = ['openssl', ...(process.platform === 'linux' ? ['setpriv'] : [])].map(executable);
  const missingTool = tools.find(({ met }) => !met);
  if (missingTool !== undefined) return missingTool;
  try {
    const missing = [...SERVERS, ...more].filter((name) => findAsset(name) === null);
    return { met: missing.length === 0, reason: process.env[PROBLEM_VARIABLE] ?? remedyFor(missing) };
  } catch (error) {
    if (!(error instanceof AssetUnavailable)) throw error;
    return { met: false, reason: error.message };
  }
}

/** What `anyCluster()` needs, wherever TEST_CLUSTER says that it is. */
export async function needsCluster(...more: readonly AssetName[]): Promise<Requirement> {
  switch (testCluster()) {
    case 'own':
      return needsControlPlane(...more);
    case 'existing':
      return {
        met: process.env['KUBECONFIG'] !== undefined,
        reason: 'TEST_CLUSTER=existing needs KUBECONFIG: a cluster that tests may change',
      };
    case 'k3s':
      return k3sRequirement();
  }
}

function remedyFor(missing: readonly AssetName[]): string {
  const isUsual = missing.every((name) => (CONTROL_PLANE_ASSETS as readonly AssetName[]).includes(name));
  const command = isUsual ? 'make kube-assets' : `node scripts/kube-assets.ts ${missing.join(' ')}`;
  return `needs ${missing.join(', ')}: run ${command}`;
}
