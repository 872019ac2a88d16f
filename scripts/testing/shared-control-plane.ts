/** Brings what the control-plane tier needs before its first test: nothing is built, and at most one set started, within tests. */
import { AssetUnavailable } from '../kube-assets/asset-unavailable.ts';
import { CONTROL_PLANE_ASSETS } from '../kube-assets/asset.ts';
import { ensureAsset } from '../kube-assets/ensure.ts';
import { CONTROL_PLANE_VARIABLE, testCluster } from '../../test/support/control-plane/any-cluster.ts';
import { ControlPlane } from '../../test/support/control-plane/control-plane.ts';
import { PROBLEM_VARIABLE } from '../../test/support/control-plane/requirement.ts';

export interface SharedControlPlane {
  /** For the tests' environment. */
  env: Record<string, string>;
  /** Where the servers write their logs; null where none was started. */
  folder: string | null;
  stop: () => Promise<void>;
}

/**
 * Builds what the cache lacks and starts the set that test files share. Where that cannot be, the environment says why and
 * the tests are skipped with that reason.
 */
export async function shareControlPlane(
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<SharedControlPlane> {
  try {
    for (const name of CONTROL_PLANE_ASSETS) await ensureAsset(name, { signal });
  } catch (error) {
    if (!(error instanceof AssetUnavailable)) throw error;
    say(`no control plane: ${error.message}`);
    return notStarted({ [PROBLEM_VARIABLE]: error.message });
  }
  if (testCluster() !== 'own') return notStarted({});
  const controlPlane = await ControlPlane.start();
  say(`kube-apiserver and etcd ready in ${(controlPlane.startedInMs / 1000).toFixed(1)} s`);
  return {
    env: { [CONTROL_PLANE_VARIABLE]: JSON.stringify(controlPlane.record) },
    folder: controlPlane.folder,
    stop: () => controlPlane.stop(),
  };
}

function notStarted(env: Record<string, string>): SharedControlPlane {
  return { env, folder: null, stop: async () => undefined };
}
