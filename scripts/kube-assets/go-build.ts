import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { withParentDeath } from '../../test/support/control-plane/parent-death.ts';
import { runCommand } from '../../test/support/lab/command.ts';
import { AssetUnavailable } from './asset-unavailable.ts';
import type { Asset } from './asset.ts';
import { goEnvironment } from './go-toolchain.ts';
import type { Progress } from './progress.ts';

const LIST_TIMEOUT_MS = 5 * 60_000;
/** Ten times what two slow cores take: past it something hangs. */
const BUILD_TIMEOUT_MS = 45 * 60_000;

export interface GoBuildOptions {
  /** The program is written here. */
  output: string;
  progress: Progress;
  env?: NodeJS.ProcessEnv | undefined;
  signal?: AbortSignal | undefined;
}

/** Compiles one program, at low priority. Throws {@link AssetUnavailable} with Go's own last words. */
export async function goBuild(
  asset: Asset,
  { output, progress, env = process.env, signal }: GoBuildOptions,
): Promise<void> {
  const title = `${asset.name} ${asset.version}`;
  progress.at(`${title}: fetching modules`);
  const total = await countPackages(asset, env);
  const arguments_ = ['build', '-v', '-ldflags', asset.linkerFlags, '-o', output, asset.package];
  const [program, ...rest] = withParentDeath(['nice', '-n', '10', 'go', ...arguments_]);
  const child = spawn(program, rest, {
    cwd: asset.folder,
    env: goEnvironment(env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', end, { once: true });
  const late = setTimeout(end, BUILD_TIMEOUT_MS);
  const said: string[] = [];
  let compiled = 0;
  let last = 'beginning';
  const heartbeat = setInterval(
    () => progress.at(`${title}: ${compiled} of ${total} packages, ${last}`),
    500,
  );
  // Go writes the name of a package when it begins to compile it; those that its cache has are not written.
  createInterface(child.stderr).on('line', (line) => {
    said.push(line);
    if (said.length > 20) said.shift();
    if (!/\s/.test(line)) compiled += 1;
    last = line;
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (signal?.aborted === true) throw new AssetUnavailable(`building ${asset.name} was interrupted`);
    if (code !== 0) throw new AssetUnavailable(failureText(asset, said.slice(-4)));
  } finally {
    clearTimeout(late);
    clearInterval(heartbeat);
    signal?.removeEventListener('abort', end);
  }
}

/** How many packages the program has, its own and others'; also fetches what the module cache lacks. */
async function countPackages(asset: Asset, env: NodeJS.ProcessEnv): Promise<number> {
  const { code, stdout, stderr } = await runCommand(['go', 'list', '-deps', asset.package], {
    cwd: asset.folder,
    env: goEnvironment(env),
    timeoutMs: LIST_TIMEOUT_MS,
  }).catch((cause: unknown) => ({ code: -1, stdout: '', stderr: String(cause) }));
  if (code !== 0) throw new AssetUnavailable(failureText(asset, stderr.trim().split('\n').slice(-2)));
  return stdout.trim().split('\n').length;
}

function failureText(asset: Asset, said: readonly string[]): string {
  const remedy =
    'see that `go env GOPROXY` names a module proxy that answers, or set KUBEBUILDER_ASSETS to a folder that has it';
  return `go cannot build ${asset.name} ${asset.version} (${said.join(' / ')}): ${remedy}`;
}
