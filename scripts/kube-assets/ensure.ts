import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { assetNamed, type AssetName } from './asset.ts';
import { lockFile } from './build-lock.ts';
import { cachedPath, cacheFolder, findAsset, isExecutable } from './cache.ts';
import { goBuild } from './go-build.ts';
import { demandGo } from './go-toolchain.ts';
import { Progress, seconds } from './progress.ts';

export interface EnsureOptions {
  env?: NodeJS.ProcessEnv;
  progress?: Progress;
  signal?: AbortSignal;
}

/**
 * The path of a program, built first where it has to be. One run at a time builds; the others wait and find it. It gets its
 * name in the cache by a rename, so what has the name is whole. Throws {@link AssetUnavailable} with reason and remedy.
 */
export async function ensureAsset(name: AssetName, options: EnsureOptions = {}): Promise<string> {
  const { env = process.env, progress = new Progress(), signal } = options;
  const found = findAsset(name, env);
  if (found !== null) return found;
  const asset = assetNamed(name);
  await demandGo(asset, env);
  const target = cachedPath(asset, env);
  const folder = dirname(target);
  mkdirSync(folder, { recursive: true });
  const release = await lockFile(join(cacheFolder(env), '.lock'), {
    onWait: () => progress.at(`another run is building, waiting for it`),
    signal,
  });
  try {
    if (isExecutable(target)) return target;
    const unfinished = `${target}.new`;
    try {
      await goBuild(asset, { output: unfinished, progress, env, signal });
      renameSync(unfinished, target);
    } finally {
      rmSync(unfinished, { force: true });
    }
    progress.say(`${name} ${asset.version} built in ${seconds(progress.elapsedMs)}: ${target}`);
    return target;
  } finally {
    await release();
  }
}
