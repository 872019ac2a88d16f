import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AssetUnavailable } from './asset-unavailable.ts';

/**
 * Holds a file's lock until released or until this process ends, however it ends: the kernel's lock of flock(1) goes with
 * its holder, which reads our end of a pipe. `onWait` is called each second while another has it.
 */
export async function lockFile(
  path: string,
  { onWait, signal }: { onWait: () => void; signal?: AbortSignal | undefined },
): Promise<() => Promise<void>> {
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true, // Ctrl-C is for us: we release it
  });
  const waiting = setInterval(onWait, 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once('error', () => reject(new AssetUnavailable('building needs flock: install util-linux')));
      holder.once('exit', () => reject(new AssetUnavailable(`could not lock ${path}`)));
      holder.stdout.once('data', () => resolve());
      signal?.addEventListener('abort', () => reject(new AssetUnavailable('interrupted')), { once: true });
    });
  } catch (error) {
    holder.stdin.destroy();
    // It is waiting for the lock and reads nothing yet.
    holder.kill('SIGKILL');
    throw error;
  } finally {
    clearInterval(waiting);
  }
  return async () => {
    const ended = once(holder, 'exit');
    holder.stdin.end();
    await ended;
  };
}
