/** The programs that can be built, each from a Go module of ours that pins all it is made of. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('../../test/support/kube-assets', import.meta.url));

interface Recipe {
  /** A folder of test/support/kube-assets. */
  module: 'kubernetes' | 'etcd' | 'helm';
  /** Of the Go package that is the program. */
  package: string;
  /** The Go module whose version is the program's. */
  versionOf: string;
}

const kubernetes = (name: string): Recipe => ({
  module: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  versionOf: 'k8s.io/kubernetes',
});

const RECIPES = {
  etcd: { module: 'etcd', package: 'go.etcd.io/etcd/server/v3', versionOf: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': kubernetes('kube-apiserver'),
  kubectl: kubernetes('kubectl'),
  helm: { module: 'helm', package: 'helm.sh/helm/v3/cmd/helm', versionOf: 'helm.sh/helm/v3' },
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubelet: kubernetes('kubelet'),
  'kube-proxy': kubernetes('kube-proxy'),
} satisfies Record<string, Recipe>;

export type AssetName = keyof typeof RECIPES;

export const ASSET_NAMES = Object.keys(RECIPES) as AssetName[];

/** What the control-plane tier runs. The quick one comes first: where nothing can be built, that shows in seconds. */
export const CONTROL_PLANE_ASSETS = ['etcd', 'kube-apiserver', 'kubectl', 'helm'] as const;

export function isAssetName(name: string): name is AssetName {
  return Object.hasOwn(RECIPES, name);
}

export interface Asset {
  name: AssetName;
  package: string;
  /** Of go.mod and go.sum. */
  folder: string;
  /** As in go.mod, e.g. `v1.35.4`. */
  version: string;
  linkerFlags: string;
  /** Names the folder of the cache: another version, dependency or flag gives another one. */
  key: string;
}

export function assetNamed(name: AssetName): Asset {
  const recipe: Recipe = RECIPES[name];
  const folder = join(MODULES, recipe.module);
  const goMod = readFileSync(join(folder, 'go.mod'), 'utf8');
  const version = versionIn(goMod, recipe.versionOf);
  const linkerFlags = linkerFlagsOf(recipe.module, version);
  const hash = createHash('sha256').update(`${goMod}\0${linkerFlags}\0`);
  const contents = hash.update(readFileSync(join(folder, 'go.sum'))).digest('hex');
  const key = [recipe.module, version, process.platform, process.arch, contents.slice(0, 10)].join('-');
  return { name, package: recipe.package, folder, version, linkerFlags, key };
}

function versionIn(goMod: string, module: string): string {
  const line = goMod.split('\n').find((text) => text.trim().startsWith(`${module} v`));
  const version = line?.trim().split(' ')[1];
  if (version === undefined) throw new Error(`test/support/kube-assets: go.mod requires no ${module}`);
  return version;
}

/** What the publishers' own builds stamp in: without it Kubernetes calls itself v0.0.0-master and Helm renders for v1.20. */
function linkerFlagsOf(module: Recipe['module'], version: string): string {
  const set = (values: Record<string, string>): string =>
    ['-s -w', ...Object.entries(values).map(([name, value]) => `-X ${name}=${value}`)].join(' ');
  switch (module) {
    case 'kubernetes': {
      const [major = '', minor = ''] = version.slice(1).split('.');
      const names = 'k8s.io/component-base/version';
      return set({
        [`${names}.gitVersion`]: version,
        [`${names}.gitMajor`]: major,
        [`${names}.gitMinor`]: minor,
        'k8s.io/client-go/pkg/version.gitVersion': version,
      });
    }
    case 'helm': {
      const kubernetes = assetNamed('kube-apiserver').version;
      const [major = '', minor = ''] = kubernetes.slice(1).split('.');
      return set({
        'helm.sh/helm/v3/internal/version.version': version,
        'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': major,
        'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': minor,
        'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor': major,
        'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor': minor,
      });
    }
    case 'etcd':
      return set({});
  }
}
