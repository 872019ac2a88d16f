/** The folder in the BPF file system where everything of ours is pinned: making sure of it, listing, removing. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { VmnError } from '../lib/errors.ts';
import { addon } from './addon.ts';
import { attempt, isNativeFailure } from './native-failure.ts';

/** Where Linux distributions mount it, and the only place where we mount it ourselves. */
export const BPFFS_MOUNT = '/sys/fs/bpf';

/** Pin of the ring buffer that all VMs share, in the root. */
const EVENTS = 'events';
/** Suffix of the folder of a replacement that is under way. */
const NEXT = '_next';
const BPF_FS_MAGIC = 0xcafe4a11;

/**
 * Makes sure that `root` is a folder in a BPF file system that outlives us; mounts /sys/fs/bpf if need be.
 * @throws VmnError VMN_BPFFS_MISSING, or VMN_BPFFS_PRIVATE where a mount would vanish with our mount namespace, and the
 *   pins, that is the filters, with it
 */
export function ensureBpffs(root: string): void {
  const path = resolve(root);
  const attempted = 'use the folder for pins';
  const belowMount = path === BPFFS_MOUNT || path.startsWith(`${BPFFS_MOUNT}/`);
  if ((belowMount ? path : basename(path)).includes('.')) {
    const remedy = 'Choose a name without a dot: the BPF file system reserves those.';
    throw new VmnError('VMN_BPFFS_MISSING', { attempted, on: path, remedy });
  }
  if (belowMount) {
    if (!isBpffs(BPFFS_MOUNT)) mountBpffs();
  } else if (!isBpffs(nearestExisting(path))) {
    const remedy = `Mount one at or above it, for example: mount -t bpf bpf ${dirname(path)}`;
    throw new VmnError('VMN_BPFFS_MISSING', { attempted, on: path, remedy });
  }
  makeFolders(path);
  if (!isBpffs(path)) throw new VmnError('VMN_BPFFS_MISSING', { attempted, on: path });
}

/**
 * What keeps filters from being pinned below `root` now, and outlive us: VMN_BPFFS_MISSING or VMN_BPFFS_READ_ONLY; null: nothing does.
 * Changes nothing. What is attached goes on in either case.
 */
export function bpffsFault(root: string): VmnError | null {
  const path = resolve(root);
  const standing = nearestExisting(path);
  if (!isBpffs(standing)) {
    const at = path.startsWith(`${BPFFS_MOUNT}/`) ? BPFFS_MOUNT : dirname(path);
    const remedy = `On the host, run: mount -t bpf bpf ${at}`;
    return new VmnError('VMN_BPFFS_MISSING', { attempted: 'look for the BPF file system', on: path, remedy });
  }
  try {
    // Tells of a mount that is read-only and of a file system that is, to root too (access(2), EROFS).
    accessSync(standing, constants.W_OK);
    return null;
  } catch (cause) {
    if (!hasCode(cause, 'EROFS')) return null;
    return readOnly('look whether pins can be made', standing, cause);
  }
}

/** Names of the VMs' folders in the root, sorted; those of which only an interrupted replacement is left too. */
export function listPins(root: string): string[] {
  const names = foldersOf(root).map((name) => (name.endsWith(NEXT) ? name.slice(0, -NEXT.length) : name));
  return [...new Set(names)].sort();
}

/**
 * Removes what one VM has pinned. Refuses while a filter is attached to an interface, since that would open it, unless
 * `attachedToo`. What is not there is removed already.
 */
export function removePins(pinDir: string, options: { attachedToo?: boolean } = {}): void {
  attempt(
    {
      code: 'VMN_BPF_ATTACH',
      attempted: 'remove the pins',
      on: pinDir,
      means: {
        EBUSY: { remedy: 'The filter is attached: delete the interface first.' },
      },
    },
    () => {
      addon().removeFilter(pinDir, options.attachedToo ?? false);
    },
  );
}

/** Gives the pins of a filter that goes on elsewhere another name. What is not there needs none. */
export function setPinsAside(pinDir: string): void {
  try {
    renameSync(pinDir, `${pinDir}_aside_${randomBytes(4).toString('hex')}`);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return;
    throw new VmnError('VMN_BPF_MAP', { attempted: 'set the pins aside', on: pinDir, cause });
  }
}

/** Removes the shared ring buffer and the root itself when no VM has pins any more; true when it did. */
export function removeRootIfEmpty(root: string): boolean {
  if (foldersOf(root).length > 0) return false;
  try {
    unlinkIfThere(join(root, EVENTS));
    unlinkIfThere(join(root, `${EVENTS}${NEXT}`));
    rmdirSync(root);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EBUSY')) return false;
    throw new VmnError('VMN_BPF_MAP', { attempted: 'remove the folder for pins', on: root, cause: error });
  }
}

/** Path of the shared ring buffer. */
export function eventsPin(root: string): string {
  return join(root, EVENTS);
}

/**
 * An absolute path at least two levels deep, whose last part bpffs takes: it reserves names with a dot.
 * @throws TypeError
 */
export function checkedPinDir(pinDir: string): string {
  if (!/^\/.*[^/]\/[\w-]+$/.test(pinDir))
    throw new TypeError(`not a folder for pins: ${JSON.stringify(pinDir)}`);
  return pinDir;
}

export function isBpffs(path: string): boolean {
  try {
    // statfs gives a signed or unsigned 32-bit value, depending on the machine.
    return Number(BigInt.asUintN(32, BigInt(statfsSync(path).type))) === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

/** Whether our mount namespace is that of process 1: what is mounted in another one may end with it. */
export function inHostMountNamespace(): boolean {
  try {
    return readlinkSync('/proc/1/ns/mnt') === readlinkSync('/proc/self/ns/mnt');
  } catch {
    // Another user's process 1 does not show its namespaces. Ids of mounts are unique over all of them, though.
    const own = rootMountId('self');
    return own !== null && own === rootMountId('1');
  }
}

function rootMountId(process: string): string | null {
  try {
    const lines = readFileSync(`/proc/${process}/mountinfo`, 'utf8').split('\n');
    const root = lines.map((line) => line.split(' ')).find((fields) => fields[4] === '/');
    return root?.[0] ?? null;
  } catch {
    return null;
  }
}

function mountBpffs(): void {
  const attempted = 'mount the BPF file system';
  if (!inHostMountNamespace()) throw new VmnError('VMN_BPFFS_PRIVATE', { attempted, on: BPFFS_MOUNT });
  try {
    addon().mountBpffs(BPFFS_MOUNT);
  } catch (cause) {
    if (!isNativeFailure(cause)) throw cause;
    const code = cause.code === 'EPERM' ? 'VMN_CAPABILITY' : 'VMN_BPFFS_MISSING';
    const remedy = 'Run: mount -t bpf bpf /sys/fs/bpf (it needs CAP_SYS_ADMIN).';
    throw new VmnError(code, { attempted, on: BPFFS_MOUNT, remedy, cause });
  }
}

function makeFolders(path: string): void {
  const attempted = 'make the folder for pins';
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (hasCode(cause, 'EROFS')) throw readOnly(attempted, path, cause);
    const code = hasCode(cause, 'EACCES') || hasCode(cause, 'EPERM') ? 'VMN_CAPABILITY' : 'VMN_BPFFS_MISSING';
    throw new VmnError(code, { attempted, on: path, cause });
  }
}

function readOnly(attempted: string, on: string, cause: unknown): VmnError {
  let mount = nearestExisting(on);
  while (isBpffs(dirname(mount)) && mount !== dirname(mount)) mount = dirname(mount);
  const remedy = `On the host, run: mount -o remount,rw ${mount} (in a container, mount it without readOnly)`;
  return new VmnError('VMN_BPFFS_READ_ONLY', { attempted, on, remedy, cause });
}

function nearestExisting(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      statfsSync(at);
      return at;
    } catch (error) {
      if (at === dirname(at) || !hasCode(error, 'ENOENT')) return at;
    }
  }
}

function foldersOf(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => basename(entry.name));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw new VmnError('VMN_BPFFS_MISSING', { attempted: 'list the pins', on: root, cause });
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
