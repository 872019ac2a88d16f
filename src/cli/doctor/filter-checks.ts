import { accessSync, constants } from 'node:fs';
import { isVmnError } from '../../lib/errors.ts';
import { programTags } from '../../native/filter-engine.ts';
import { isRefusal, lack, NEEDED_FEATURES, TCX } from '../../native/kernel-feature.ts';
import type { Finding, Probe } from '../../native/probe.ts';
import { type Check, no, type Subject, unknown, yes } from './check.ts';

type Part = Exclude<keyof Probe, 'caps' | 'bpffs' | 'nft' | 'qemu'>;

const PURPOSES: Readonly<Record<Part, string>> = {
  kernel: 'everything',
  root: 'the agent, vmnetctl run',
  native: 'everything that asks the kernel',
  bpf: 'the filter',
  btf: 'the filter: finds its way in this kernel',
  mapInMap: 'policies that change in one instant',
  ringBuffer: 'telling about dropped frames',
  kernelMemory: 'the filter: super-frames, checksums',
  hook: 'attaching the filter to a tap',
  filter: 'the filter, as this build has it',
  tun: 'taps',
};

/** Whatever of the filter's needs was tried by native/probe.ts. What was refused to this caller may be there all the same. */
export function filterChecks(probed: Pick<Probe, Part>, refused = isRefused): Check[] {
  return Object.entries(PURPOSES).map(([name, purpose]) => {
    const part = name as Part;
    return checkOf({ name, purpose, needed: true }, probed[part], () => refused(part));
  });
}

function checkOf(subject: Subject, { ok, detail, remedy }: Finding, wasRefused: () => boolean): Check {
  if (ok) return yes(subject, detail);
  return wasRefused() ? unknown(subject, `cannot be tried: ${detail}`, remedy) : no(subject, detail, remedy);
}

/** Whether it was the caller's privileges that it failed for. */
function isRefused(part: Part): boolean {
  if (part === 'hook') return isRefusal(lack(TCX));
  if (part === 'filter') return filterIsRefused();
  if (part === 'tun') return tunIsRefused();
  return part in NEEDED_FEATURES && isRefusal(lack(NEEDED_FEATURES[part as keyof typeof NEEDED_FEATURES]));
}

/** Root's EACCES is of the device cgroup: there root can do something about it. */
function tunIsRefused(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' && process.geteuid?.() !== 0;
  }
}

function filterIsRefused(): boolean {
  try {
    programTags();
    return false;
  } catch (error) {
    return isVmnError(error, 'VMN_CAPABILITY');
  }
}
