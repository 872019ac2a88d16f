import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { TapHolder } from './kernel.ts';

/*
 * A tap's holder has a descriptor of /dev/net/tun whose fdinfo names the tap: `iff:\tNAME` (drivers/net/tun.c). The name is
 * unique only within a network namespace, so a process of another one is left out: its tap of that name is another's.
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
    if (startTicks === null || linkOf(`/proc/${pid}/ns/net`) !== netns) continue;
    if (holds(pid, name)) holders.push({ pid, startTicks });
  }
  return holders;
}

function holds(pid: number, name: string): boolean {
  return namesIn(`/proc/${pid}/fd`).some(
    (fd) =>
      linkOf(`/proc/${pid}/fd/${fd}`)?.endsWith('/net/tun') === true &&
      /^iff:\t(.*)$/m.exec(textOf(`/proc/${pid}/fdinfo/${fd}`))?.[1] === name,
  );
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
