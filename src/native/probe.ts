/**
 * What this machine can do, found out by trying, and explained only where it cannot. Changes nothing, needs nothing: what
 * may not be tried is a finding, too.
 */
import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import { isVmnError } from '../lib/errors.ts';
import { addon } from './addon.ts';
import { BPFFS_MOUNT, inHostMountNamespace, isBpffs } from './bpffs.ts';
import { programTags } from './filter-engine.ts';
import {
  CLSACT,
  isAtLeast,
  isRefusal,
  type KernelFeature,
  lack,
  NEEDED_FEATURES,
  OLDEST_KERNEL,
  requirement,
  TCX,
} from './kernel-feature.ts';
import { missingCapabilities, NEEDED_CAPABILITIES, privilegeRemedy } from './privilege.ts';

export interface Finding {
  ok: boolean;
  /** One line: what was found. */
  detail: string;
  /** What to do; empty when `ok`. */
  remedy: string;
}

export interface Probe {
  /** Linux 5.10 or newer. */
  kernel: Finding;
  root: Finding;
  /** CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON. */
  caps: Finding;
  /** The native addon is built and loads. */
  native: Finding;
  /** bpf(2) takes a program from us. */
  bpf: Finding;
  /** The kernel describes its own types; the filter asks for one. */
  btf: Finding;
  /** Policies are in a map of maps. */
  mapInMap: Finding;
  /** Events are in one. */
  ringBuffer: Finding;
  /** The filter reads two fields that the kernel does not offer to filters. */
  kernelMemory: Finding;
  /** A way of attaching: tcx, or clsact before Linux 6.6. */
  hook: Finding;
  /** The kernel takes the filter itself. */
  filter: Finding;
  bpffs: Finding;
  tun: Finding;
  nft: Finding;
  qemu: Finding;
}

export function probe(): Probe {
  return {
    kernel: probeKernel(),
    root: probeRoot(),
    caps: probeCapabilities(),
    native: trying('loaded', 'Run `make build`.', () => void addon()),
    bpf: needed('bpf', 'programs can be loaded'),
    btf: needed('btf', '/sys/kernel/btf/vmlinux'),
    mapInMap: needed('mapInMap', 'maps of maps can be made'),
    ringBuffer: needed('ringBuffer', 'ring buffers can be made'),
    kernelMemory: needed('kernelMemory', 'programs may read kernel memory'),
    hook: probeHook(),
    filter: trying('the kernel takes the filter', 'See the message.', () => {
      programTags();
    }),
    bpffs: probeBpffs(),
    tun: probeTun(),
    nft: probeProgram('nft', 'Install it: apt-get install nftables'),
    qemu: probeProgram('qemu-system-x86_64', 'Install it: apt-get install qemu-system-x86'),
  };
}

function probeKernel(): Finding {
  if (process.platform !== 'linux') return bad(process.platform, 'Run it on Linux.');
  return isAtLeast(OLDEST_KERNEL)
    ? good(`Linux ${release()}`)
    : bad(`Linux ${release()}`, `Upgrade to Linux ${OLDEST_KERNEL} or newer.`);
}

function needed(name: keyof typeof NEEDED_FEATURES, found: string): Finding {
  return feature(NEEDED_FEATURES[name], found);
}

function feature(given: KernelFeature, found: string): Finding {
  const error = lack(given);
  if (error === null) return good(found);
  if (isVmnError(error)) return bad(error.message, error.remedy);
  return bad(error.message, isRefusal(error) ? privilegeRemedy() : requirement(given));
}

function probeHook(): Finding {
  const tcx = feature(TCX, 'tcx');
  if (tcx.ok || isRefusal(lack(TCX))) return tcx;
  const error = lack(CLSACT);
  // Trying it takes a network namespace, which takes more than the filter does.
  if (isRefusal(error)) return good('clsact, it seems: without CAP_SYS_ADMIN it cannot be tried');
  return error === null ? good('clsact, for there is no tcx before Linux 6.6') : feature(CLSACT, 'clsact');
}

function probeRoot(): Finding {
  const uid = process.geteuid?.();
  return uid === 0
    ? good('running as root')
    : bad(`running as user ${uid ?? 'unknown'}`, 'Run it as root, for example with sudo.');
}

function probeCapabilities(): Finding {
  const missing = missingCapabilities();
  if (missing.length === 0) return good(Object.keys(NEEDED_CAPABILITIES).join(', '));
  return bad(`missing: ${missing.join(', ')}`, privilegeRemedy());
}

function probeBpffs(): Finding {
  if (isBpffs(BPFFS_MOUNT)) return good(`mounted at ${BPFFS_MOUNT}`);
  if (!existsSync(BPFFS_MOUNT))
    return bad(`${BPFFS_MOUNT} does not exist`, 'Use a kernel with CONFIG_BPF_SYSCALL.');
  if (!inHostMountNamespace()) {
    return bad(
      'not mounted, and this mount namespace is not the host’s',
      `On the host, run: mount -t bpf bpf ${BPFFS_MOUNT}`,
    );
  }
  return bad(
    'not mounted yet; it is mounted when it is needed',
    `To do it now: mount -t bpf bpf ${BPFFS_MOUNT}`,
  );
}

function probeTun(): Finding {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
    return good('/dev/net/tun');
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return bad(detail, 'Load the module (modprobe tun); in a container, pass /dev/net/tun into it.');
  }
}

function probeProgram(name: string, remedy: string): Finding {
  const path = findProgram(name);
  return path === null ? bad(`${name} is not on the PATH`, remedy) : good(path);
}

/** Full path of a program on the PATH; /usr/sbin and /sbin count even when the PATH lacks them. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return (
    folders
      .filter((folder) => folder !== '')
      .map((folder) => join(folder, name))
      .find(isExecutable) ?? null
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function trying(found: string, remedy: string, what: () => void): Finding {
  try {
    what();
    return good(found);
  } catch (error) {
    if (isVmnError(error)) return bad(error.message, error.remedy);
    return bad(error instanceof Error ? error.message : String(error), remedy);
  }
}

function good(detail: string): Finding {
  return { ok: true, detail, remedy: '' };
}

function bad(detail: string, remedy: string): Finding {
  return { ok: false, detail, remedy };
}
