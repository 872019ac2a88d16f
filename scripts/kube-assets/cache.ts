import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { AssetUnavailable } from './asset-unavailable.ts';
import { assetNamed, type Asset, type AssetName } from './asset.ts';

/** Without them there is no control plane, so a folder of KUBEBUILDER_ASSETS has to have both. */
const INDISPENSABLE: readonly AssetName[] = ['kube-apiserver', 'etcd'];

/**
 * Where built programs are kept. Outside the checkout, other than the kernels of scripts/kernel-matrix: those are downloads,
 * these are minutes of all processors, and the next clone of the same version has the same.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const named = env['VMN_KUBE_ASSETS_CACHE'];
  if (named !== undefined && named !== '') return named;
  const xdg = env['XDG_CACHE_HOME'];
  // The XDG specification: a relative path is to be ignored.
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache');
  return join(base, 'vmnetwork', 'kube-assets');
}

export function cachedPath(asset: Asset, env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheFolder(env), asset.key, asset.name);
}

/**
 * The program, when it is there without building: from KUBEBUILDER_ASSETS, else from the cache; null when it has to be built.
 * Throws {@link AssetUnavailable} when KUBEBUILDER_ASSETS lacks what a control plane needs.
 */
export function findAsset(name: AssetName, env: NodeJS.ProcessEnv = process.env): string | null {
  const given = env['KUBEBUILDER_ASSETS'];
  if (given !== undefined && given !== '') {
    const path = join(given, name);
    if (isExecutable(path)) return path;
    if (INDISPENSABLE.includes(name)) {
      throw new AssetUnavailable(
        `KUBEBUILDER_ASSETS=${given} has no program ${name}: put it there, or unset it to build`,
      );
    }
  }
  const path = cachedPath(assetNamed(name), env);
  return isExecutable(path) ? path : null;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
