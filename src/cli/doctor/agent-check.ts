import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hostHolder } from '../../agent/host/host-lock.ts';
import { describeHolder, type LockHolder } from '../../agent/host/lock-holder.ts';
import type { AttachmentPaths } from '../../agent/wiring/paths.ts';
import { socketPathOf } from '../../agent/wiring/paths.ts';
import { isVmnError } from '../../lib/errors.ts';
import type { SeenStatus } from '../agent/agent-status.ts';
import { type Check, no, unknown, yes } from './check.ts';

/** Whether an agent runs here already: there is one a host, whatever its folders. @param host who has the host */
export async function agentCheck(
  paths: Pick<AttachmentPaths, 'stateDir' | 'runDir'>,
  ask: () => Promise<SeenStatus>,
  locks: () => string = () => readFileSync('/proc/locks', 'utf8'),
  host: () => LockHolder | null = hostHolder,
): Promise<Check> {
  const about = { name: 'agent', purpose: 'enforcing what VMNetworks say', needed: false };
  const held = [paths.stateDir, paths.runDir].map((dir) => join(dir, 'agent.lock')).filter(isHeld(locks));
  try {
    const { agent } = await ask();
    return yes(about, `version ${agent.version} runs as process ${agent.pid} since ${agent.startedAt}`);
  } catch (error) {
    if (!isVmnError(error, 'VMN_AGENT_UNREACHABLE')) throw error;
    const path = socketPathOf(paths);
    const holder = host();
    if (holder !== null)
      return no(
        about,
        `nothing answers on ${path}, and ${describeHolder(holder)} has this host`,
        holder.folders === null || holder.folders.runDir === paths.runDir
          ? `End it, or wait: kill ${holder.pid}`
          : `Ask that one: --run-dir ${holder.folders.runDir} --state-dir ${holder.folders.stateDir}`,
      );
    if (held.length > 0)
      return no(
        about,
        `nothing answers on ${path}, and ${held.join(' and ')} is held`,
        'End what holds the lock: fuser -v FILE',
      );
    if (isRefused(path)) return unknown(about, `${path} is not for this user`, 'Run it as root to tell.');
    return no(about, `nothing answers on ${path}`, '');
  }
}

/** By /proc/locks, which names files by device and inode: trying the lock would take it, for a moment. */
function isHeld(locks: () => string): (path: string) => boolean {
  const held = new Set(
    [...safely(locks).matchAll(/ FLOCK .* [0-9a-f]+:[0-9a-f]+:(\d+) /g)].map(([, inode]) => inode),
  );
  return (path) => {
    try {
      return held.has(String(statSync(path).ino));
    } catch {
      return false;
    }
  };
}

function safely(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** Whether something is there that may not be looked at. */
function isRefused(path: string): boolean {
  try {
    return statSync(path).isSocket() && process.geteuid?.() !== 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}
