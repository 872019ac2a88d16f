import { rmdirSync } from 'node:fs';
import { errnoOf } from '../../agent/host/errno.ts';
import { takeHost } from '../../agent/host/host-lock.ts';
import { acquireLock } from '../../agent/host/lock.ts';
import { type AttachmentPaths, stateLockOf } from '../../agent/wiring/paths.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';

/**
 * Runs `body` while no agent runs and none can start, and while `vmnetctl run` makes no tap: it waits for the end. Locks
 * leave no folder behind that is empty. Throws VMN_AGENT_RUNNING.
 */
export async function asSoleUser<T>(
  attempted: string,
  paths: AttachmentPaths,
  body: () => Promise<T>,
): Promise<T> {
  const held: { release(): void }[] = [];
  try {
    held.push(hostOf(paths, attempted));
    held.push(acquireLock(stateLockOf(paths), { wait: true }));
    return await body();
  } finally {
    for (const lock of held.reverse()) lock.release();
    for (const dir of [paths.stateDir, paths.runDir]) removeIfEmpty(dir);
  }
}

function hostOf(paths: AttachmentPaths, attempted: string): { release(): void } {
  try {
    return takeHost(paths, false);
  } catch (error) {
    if (!isVmnError(error, 'VMN_AGENT_RUNNING')) throw error;
    const remedy =
      'Stop the agent first (systemctl stop vmnet-agent, or helm uninstall): it would open again what is closed here.';
    const { on, cause } = error;
    throw new VmnError('VMN_AGENT_RUNNING', { attempted, on, remedy, cause });
  }
}

/** A folder that holds something, or that something is mounted on, stays. */
function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}
