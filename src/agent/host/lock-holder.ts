import { readFileSync, statSync } from 'node:fs';
import { podOf } from '../discovery/kubernetes.ts';
import { cgroupsOf, commandLineOf } from '../discovery/proc.ts';
import { DEFAULT_PATHS } from '../wiring/paths.ts';

/** The process that holds a lock, as far as /proc tells. */
export interface LockHolder {
  readonly pid: number;
  /** The folders of an agent or `vmnetctl`, as its command line has them; null: it is neither. */
  readonly folders: { readonly stateDir: string; readonly runDir: string } | null;
  /** `unit vmnet-agent.service` or `pod UID`, by its control group. */
  readonly place: string | null;
}

/** Who holds the lock (flock) of the file or folder at `path`. Null: nobody, or nobody whom this process may see. Takes nothing. */
export function holderOf(
  path: string,
  locks: () => string = () => readFileSync('/proc/locks', 'utf8'),
): LockHolder | null {
  const pid = pidIn(safely(locks), path);
  if (pid === null) return null;
  return { pid, folders: foldersIn(commandLineOf(pid)), place: placeIn(cgroupsOf(pid)) };
}

/** `process 812 (unit vmnet-agent.service, state folder /var/lib/vmnetwork)`. */
export function describeHolder(holder: LockHolder | null): string {
  if (holder === null) return 'a process that is not visible from here';
  const { pid, place, folders } = holder;
  const more = [place, folders === null ? null : `state folder ${folders.stateDir}`].filter(
    (part) => part !== null,
  );
  return `process ${pid}${more.length === 0 ? '' : ` (${more.join(', ')})`}`;
}

/**
 * proc_locks(5) names a file by device and inode. A file system in layers may show another device than the kernel has, so where no
 * device matches the inode alone has to do.
 */
function pidIn(locks: string, path: string): number | null {
  const file = statOf(path);
  if (file === null) return null;
  const lines = [...locks.matchAll(/ FLOCK +\S+ +\S+ (\d+) ([0-9a-f]+:[0-9a-f]+):(\d+) /g)].filter(
    ([, , , inode]) => inode === String(file.ino),
  );
  const [, pid] = lines.find(([, , device]) => device === deviceOf(file.dev)) ?? lines[0] ?? [];
  return pid === undefined || pid === '0' ? null : Number(pid);
}

/** As new_decode_dev() of the kernel has it, in the form of /proc/locks. */
function deviceOf(dev: bigint): string {
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
}

/** Of a command line. */
export function foldersIn(words: readonly string[]): LockHolder['folders'] {
  if (!words.some((word) => /\/src\/(agent|cli)\/main\.ts$/.test(word))) return null;
  const given = (option: string, unless: string): string => {
    const at = words.findLastIndex((word) => word === option || word.startsWith(`${option}=`));
    if (at < 0) return unless;
    return (words[at] === option ? words[at + 1] : words[at]?.slice(option.length + 1)) ?? unless;
  };
  return {
    stateDir: given('--state-dir', DEFAULT_PATHS.stateDir),
    runDir: given('--run-dir', DEFAULT_PATHS.runDir),
  };
}

/** Of `/proc/PID/cgroup`. */
export function placeIn(cgroups: string): string | null {
  const pod = podOf(cgroups);
  if (pod !== null) return `pod ${pod}`;
  const unit = /\/([^/\n]+\.service)$/m.exec(cgroups)?.[1];
  return unit === undefined ? null : `unit ${unit}`;
}

function statOf(path: string): { readonly ino: bigint; readonly dev: bigint } | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function safely(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
