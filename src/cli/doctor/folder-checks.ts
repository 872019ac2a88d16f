import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { AttachmentPaths } from '../../agent/wiring/paths.ts';
import { BPFFS_MOUNT, bpffsFault, inHostMountNamespace, isBpffs } from '../../native/bpffs.ts';
import { type Check, messageOf, no, type Subject, unknown, yes } from './check.ts';

/** Records are some hundred bytes each; a disk this full is about to fail everything else as well. */
const FEWEST_FREE_BYTES = 1024 * 1024;
const MEBIBYTE = 1024 * 1024;
const OTHERS_MAY_WRITE = 0o022;

/** The places of the agent: of what is not there yet, whether it can be made. */
export function folderChecks({ stateDir, runDir, bpffs }: AttachmentPaths): Check[] {
  return [
    pinFolder(bpffs),
    folder({ name: 'stateDir', purpose: 'records of attachments, over reboots', needed: true }, stateDir),
    folder({ name: 'runDir', purpose: 'the agent’s socket and lock', needed: true }, runDir),
  ];
}

function pinFolder(given: string): Check {
  const about = { name: 'bpffs', purpose: 'keeping filters without any process', needed: true };
  const path = resolve(given);
  const standing = nearest(path);
  const fault = bpffsFault(path);
  if (fault?.code === 'VMN_BPFFS_READ_ONLY') return no(about, `${standing} is read-only`, fault.remedy);
  if (isBpffs(standing)) return usable(about, path, standing, () => `${path} is on a BPF file system`);
  if (!path.startsWith(`${BPFFS_MOUNT}/`)) {
    const remedy = `Mount one at or above it, for example: mount -t bpf bpf ${dirname(path)}`;
    return no(about, `${path} is not on a BPF file system`, remedy);
  }
  const remedy = `On the host, run: mount -t bpf bpf ${BPFFS_MOUNT}`;
  return inHostMountNamespace()
    ? no(about, `${BPFFS_MOUNT} is not mounted yet; an agent with CAP_SYS_ADMIN does it`, remedy)
    : no(about, `${BPFFS_MOUNT} is not mounted, and this mount namespace is not the host’s`, remedy);
}

function folder(about: Subject, given: string): Check {
  const path = resolve(given);
  const standing = nearest(path);
  const stat = statSync(standing, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true)
    return no(about, `${standing} is no folder`, 'Remove it, or choose another.');
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0');
  if (standing === path && (stat.mode & OTHERS_MAY_WRITE) !== 0)
    return no(about, `${path} has mode ${mode}: others may write to it`, `Run: chmod 0700 ${path}`);
  const { bavail, bsize } = statfsSync(standing);
  const free = bavail * bsize;
  if (free < FEWEST_FREE_BYTES)
    return no(about, `${standing} has ${free} bytes left`, 'Make room on its file system.');
  return usable(
    about,
    path,
    standing,
    () => `${path}, mode ${mode}, ${Math.floor(free / MEBIBYTE)} MiB free`,
  );
}

/** Whether we may write there; of a folder that is missing, whether the next one above lets us make it. */
function usable(about: Subject, path: string, standing: string, found: () => string): Check {
  try {
    accessSync(standing, constants.W_OK | constants.X_OK);
    return yes(about, standing === path ? found() : `${path} is not there yet; it is made when needed`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES' && process.geteuid?.() !== 0)
      return unknown(about, `${standing} is not for this user to write to`, 'Run it as root to tell.');
    return no(about, messageOf(error), 'Mount it for reading and writing, or choose another folder.');
  }
}

/** The folder itself, or the nearest one above that exists. One that may not be looked into counts as missing. */
function nearest(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      statSync(at);
      return at;
    } catch {
      if (at === dirname(at)) return at;
    }
  }
}
