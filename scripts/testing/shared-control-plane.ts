/** Brings what the control-plane tier needs before its first test: nothing is built, and at most one set started, within tests. */
import { AssetUnavailable } from '../kube-assets/asset-unavailable.ts';
import { CONTROL_PLANE_ASSETS } from '../kube-assets/asset.ts';
import { ensureAsset } from '../kube-assets/ensure.ts';
import { CONTROL_PLANE_VARIABLE, testCluster } from '../../test/support/control-plane/any-cluster.ts';
import { ControlPlane } from '../../test/support/control-plane/control-plane.ts';
import { PROBLEM_VARIABLE } from '../../test/support/control-plane/requirement.ts';

export { PROBLEM_VARIABLE };

export interface SharedControlPlane {
  /** For the tests' environment. */
  env: Record<string, string>;
  /** Where the servers write their logs; null where none was started. */
  folder: string | null;
  stop: () => Promise<void>;
}

/** Builds what the cache lacks. Null when all is there, else why not: tests that are told so are skipped with that reason. */
export async function prepareControlPlane(signal: AbortSignal): Promise<string | null> {
  try {
    for (const name of CONTROL_PLANE_ASSETS) await ensureAsset(name, { signal });
    return null;
  } catch (error) {
    if (error instanceof AssetUnavailable) return error.message;
    throw error;
  }
}

/** Whether the cluster of the tests is one that they start themselves, wherever they are. */
export const isOwnCluster = (): boolean => testCluster() === 'own';

/** Starts the set that test files share, unless the environment says why there is none. */
export async function shareControlPlane(say: (text: string) => void): Promise<SharedControlPlane> {
  const none = { env: {}, folder: null, stop: async () => undefined };
  if (process.env[PROBLEM_VARIABLE] !== undefined || !isOwnCluster()) return none;
  const controlPlane = await ControlPlane.start();
  say(`kube-apiserver and etcd ready in ${(controlPlane.startedInMs / 1000).toFixed(1)} s`);
  return {
    env: { [CONTROL_PLANE_VARIABLE]: JSON.stringify(controlPlane.record) },
    folder: controlPlane.folder,
    stop: () => controlPlane.stop(),
  };
}
