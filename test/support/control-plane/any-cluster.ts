import { makeRunFolder } from './run-folder.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { accessTo, ControlPlane, type ControlPlaneRecord } from './control-plane.ts';
import { pemOf } from './credentials.ts';
import { openExistingCluster } from './existing-cluster.ts';
import { startK3s } from './k3s.ts';

/** A control plane that the test runner has started for all files: how to reach it, as JSON. */
export const CONTROL_PLANE_VARIABLE = 'VMN_CONTROL_PLANE';

/** Where tests that kill nothing run: `own` (default), `existing` (that of KUBECONFIG), `k3s` (in Docker). */
export const TEST_CLUSTER_VARIABLE = 'TEST_CLUSTER';

export type TestCluster = 'own' | 'existing' | 'k3s';

export interface Lease {
  cluster: Cluster;
  /** Ends what was started for this lease only. */
  release: () => Promise<void>;
}

export function testCluster(env: NodeJS.ProcessEnv = process.env): TestCluster {
  const value = env[TEST_CLUSTER_VARIABLE] ?? 'own';
  if (value === 'own' || value === 'existing' || value === 'k3s') return value;
  throw new Error(`${TEST_CLUSTER_VARIABLE}=${value}: it has to be own, existing or k3s`);
}

/**
 * A cluster for tests that live in namespaces of their own and kill nothing: the one that the test runner started for all
 * files, else one that is started now.
 */
export async function anyCluster(env: NodeJS.ProcessEnv = process.env): Promise<Lease> {
  switch (testCluster(env)) {
    case 'existing':
      return leased(new Cluster(await openExistingCluster(makeRunFolder(), env)));
    case 'k3s': {
      const k3s = await startK3s(makeRunFolder());
      return leased(new Cluster(k3s.access), k3s.stop);
    }
    case 'own': {
      const shared = env[CONTROL_PLANE_VARIABLE];
      if (shared !== undefined) return leased(new Cluster(attach(JSON.parse(shared) as ControlPlaneRecord)));
      const controlPlane = await ControlPlane.start();
      return leased(controlPlane, () => controlPlane.stop());
    }
  }
}

function leased(cluster: Cluster, stop: () => Promise<void> = async () => undefined): Lease {
  return {
    cluster,
    release: async () => {
      cluster.close();
      await stop();
    },
  };
}

function attach({ folder, url, admin }: ControlPlaneRecord): ClusterOptions {
  return accessTo(folder, url, pemOf(admin));
}
