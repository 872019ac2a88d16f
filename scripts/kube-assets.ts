/**
 * Brings the programs that tests run a real Kubernetes with: `node scripts/kube-assets.ts [BINARY ...]`. Builds from their
 * Go modules (test/support/kube-assets) what the cache lacks, shows progress on stderr, and writes one `BINARY PATH` a line
 * to stdout. Exit code 2 when one cannot be had, with the remedy. See test/support/kube-assets/README.md.
 */
import { parseArgs } from 'node:util';
import { ASSET_NAMES, CONTROL_PLANE_ASSETS, isAssetName, type AssetName } from './kube-assets/asset.ts';
import { AssetUnavailable } from './kube-assets/asset-unavailable.ts';
import { ensureAsset } from './kube-assets/ensure.ts';

const HELP = `usage: node scripts/kube-assets.ts [BINARY ...]

BINARY  ${ASSET_NAMES.join(', ')}; without one those that make test needs: ${CONTROL_PLANE_ASSETS.join(', ')}

KUBEBUILDER_ASSETS     a folder with these programs: what it has is taken as it is, nothing is built
VMN_KUBE_ASSETS_CACHE  where built ones are kept (default: vmnetwork/kube-assets in XDG_CACHE_HOME or ~/.cache)`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  for (const name of wanted(positionals)) {
    console.log(`${name} ${await ensureAsset(name, { signal: interrupt.signal })}`);
  }
  return 0;
}

function wanted(names: readonly string[]): readonly AssetName[] {
  if (names.length === 0) return CONTROL_PLANE_ASSETS;
  return names.map((name) => {
    if (isAssetName(name)) return name;
    throw new AssetUnavailable(`no recipe for ${name}: there are ${ASSET_NAMES.join(', ')}`);
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof AssetUnavailable ? error.message : error);
  process.exitCode = 2;
}
