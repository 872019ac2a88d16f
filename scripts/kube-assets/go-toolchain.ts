import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../test/support/lab/command.ts';
import { AssetUnavailable } from './asset-unavailable.ts';
import type { Asset } from './asset.ts';

const REMEDY =
  'install Go (go.dev/dl) so that `go` is on the PATH, or set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd';

/** The machine's own Go, GOPROXY and module cache; of the rest nothing that would make the result differ from go.mod. */
export function goEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return {
    ...env,
    // Another toolchain is never fetched behind the back of whoever runs the tests.
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-mod=readonly -trimpath -buildvcs=false',
    GOWORK: 'off',
    CGO_ENABLED: '0',
  };
}

/** Throws {@link AssetUnavailable} when there is no Go, or one older than the asset's go.mod asks for. */
export async function demandGo(asset: Asset, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const wanted = /^go (\d+\.\d+)/m.exec(readFileSync(join(asset.folder, 'go.mod'), 'utf8'))?.[1] ?? '1.25';
  const answer = await runCommand(['go', 'env', 'GOVERSION'], { env: goEnvironment(env) }).catch(() => null);
  if (answer === null)
    throw new AssetUnavailable(`${asset.name} needs Go >= ${wanted}, and there is none: ${REMEDY}`);
  const version = answer.stdout.trim();
  if (answer.code !== 0 || isOlder(version, wanted)) {
    throw new AssetUnavailable(
      `${asset.name} needs Go >= ${wanted}, and this is ${version || 'one that does not run'}: ${REMEDY}`,
    );
  }
}

function isOlder(version: string, wanted: string): boolean {
  const [haveMajor = 0, haveMinor = 0] = /^go(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
  const [wantMajor = 0, wantMinor = 0] = wanted.split('.').map(Number);
  return haveMajor < wantMajor || (haveMajor === wantMajor && haveMinor < wantMinor);
}
