import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isVmnError } from '../../lib/errors.ts';
import { tunFiles } from '../../native/foreign-process.ts';
import type { TapHolder } from './kernel.ts';

/*
 * A tap's holder has a descriptor of /dev/net/tun. Whose tap that is now, and in which network namespace, is asked of the
 * descriptor itself, for a tap may be held from another namespace (handed over, or moved since). Where that may not be asked
 * the name in fdinfo is left, `iff:\tNAME` (drivers/net/tun.c). A name is unique only within a namespace, so then a process of
 * another one is left out: its tap of that name is another's.
 * Processes and descriptors that come and go meanwhile, or that may not be seen, are passed over.
 */

/** Processes that hold the tap `name` open, of the network namespace that this thread is in. */
export function findTapHolders(name: string, startOf: (pid: number) => string | null): TapHolder[] {
  const netns = linkOf('/proc/thread-self/ns/net');
  const holders: TapHolder[] = [];
  for (const entry of namesIn('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const pid = Number(entry);
    // Before the descriptors: if the pid changes hands after this, the two do not match when it is ended.
    const startTicks = startOf(pid);
    if (startTicks === null) continue;
    const fds = namesIn(`/proc/${pid}/fd`).filter((fd) => isTun(`/proc/${pid}/fd/${fd}`));
    if (fds.length > 0 && netns !== null && holds(pid, fds, name, netns)) holders.push({ pid, startTicks });
  }
  return holders;
}

function isTun(path: string): boolean {
  return linkOf(path)?.endsWith('/net/tun') === true;
}

/** `netns`: as its link says it, `net:[inode]`. */
function holds(pid: number, fds: readonly string[], name: string, netns: string): boolean {
  const isThere = (): boolean => linkOf(`/proc/${pid}/ns/net`) === netns;
  try {
    return tunFiles(pid, fds.map(Number)).some(
      // Kernels that do not say where it is say 0.
      (tap) => tap.name === name && (tap.netns === 0 ? isThere() : `net:[${tap.netns}]` === netns),
    );
  } catch (error) {
    if (!isVmnError(error)) throw error;
    return isThere() && fds.some((fd) => nameIn(textOf(`/proc/${pid}/fdinfo/${fd}`)) === name);
  }
}

function nameIn(fdinfo: string): string | null {
  return /^iff:\t(.*)$/m.exec(fdinfo)?.[1] ?? null;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
