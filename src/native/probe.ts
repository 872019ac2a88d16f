/**
 * What this machine can do, found out by trying, and explained only where it cannot. Changes nothing, needs nothing: what
 * may not be tried is a finding, too.
 */
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import { isVmnError } from '../lib/errors.ts';
import { addon } from './addon.ts';
import { BPFFS_MOUNT, inHostMountNamespace, isBpffs } from './bpffs.ts';
import { programTags } from './filter-engine.ts';
import { isNativeFailure } from './native-failure.ts';

export interface Finding {
  ok: boolean;
  /** One line: what was found. */
  detail: string;
  /** What to do; empty when `ok`. */
  remedy: string;
}

export interface Probe {
  /** Linux 6.6 or newer. */
  kernel: Finding;
  root: Finding;
  /** CAP_BPF, CAP_NET_ADMIN. */
  caps: Finding;
  /** The native addon is built and loads. */
  native: Finding;
  /** bpf(2) takes a program from us. */
  bpf: Finding;
  /** The kernel describes its own types; the filter asks for one. */
  btf: Finding;
  tcx: Finding;
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
    bpf: trying('programs can be loaded', 'Use a kernel with CONFIG_BPF_SYSCALL, as root.', () => {
      addon().probeBpf();
    }),
    btf: existsSync('/sys/kernel/btf/vmlinux')
      ? good('/sys/kernel/btf/vmlinux')
      : bad(
          '/sys/kernel/btf/vmlinux is missing',
          'Use a kernel with CONFIG_DEBUG_INFO_BTF; distributions have it.',
        ),
    tcx: trying('links at tcx hooks', 'tcx requires Linux >= 6.6.', () => {
      addon().probeTcx();
    }),
    filter: trying('the kernel takes the filter', 'See the message; Linux 6.6 or newer is needed.', () => {
      programTags();
    }),
    bpffs: probeBpffs(),
    tun: probeTun(),
    nft: probeProgram('nft', 'Install it: apt-get install nftables'),
    qemu: probeProgram('qemu-system-x86_64', 'Install it: apt-get install qemu-system-x86'),
  };
}

function probeKernel(): Finding {
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const recent = major > 6 || (major === 6 && minor >= 6);
  if (process.platform !== 'linux') return bad(process.platform, 'Run it on Linux.');
  return recent ? good(`Linux ${release()}`) : bad(`Linux ${release()}`, 'Upgrade to Linux 6.6 or newer.');
}

function probeRoot(): Finding {
  const uid = process.geteuid?.();
  return uid === 0
    ? good('running as root')
    : bad(`running as user ${uid ?? 'unknown'}`, 'Run it as root, for example with sudo.');
}

const NEEDED = { CAP_NET_ADMIN: 12, CAP_BPF: 39 } as const;

function probeCapabilities(): Finding {
  const status = readText('/proc/self/status');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const missing = Object.entries(NEEDED).filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n);
  const names = Object.keys(NEEDED).join(', ');
  if (missing.length === 0) return good(names);
  return bad(`missing: ${missing.map(([name]) => name).join(', ')}`, `Run as root, or grant ${names}.`);
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
    if (isNativeFailure(error) && error.code === 'EPERM') {
      return bad(error.message, 'Run as root or with CAP_BPF and CAP_NET_ADMIN.');
    }
    return bad(error instanceof Error ? error.message : String(error), remedy);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function good(detail: string): Finding {
  return { ok: true, detail, remedy: '' };
}

function bad(detail: string, remedy: string): Finding {
  return { ok: false, detail, remedy };
}
